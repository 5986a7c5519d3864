# Role-based access as OPA's documentation writes it (https://www.openpolicyagent.org/docs/comparisons/access-control-systems):
# a user's roles, a role's grants, and a look through them. Groups are flattened beforehand into
# `user_roles[user][scope]` and `user_denials[user][scope]`; wildcards are expanded beforehand into lists of actions.
# The host asks once for each ancestor of the scope.
package lockstep.documented

default granted := false

default denied := false

decision := {"granted": granted, "denied": denied}

granted if {
	some role in data.user_roles[input.user][input.scope]
	some grant in data.role_grants[role]
	grant.action == input.action
}

denied if {
	some denial in data.user_denials[input.user][input.scope]
	some grant in data.denial_grants[denial]
	grant.action == input.action
}
