# The same, written for speed: all ancestors in one call, and actions as keys of an object, so that nothing is looked
# through except the roles at a scope.
package lockstep.indexed

default allow := false

allow if {
	some scope in input.scopes
	some role in data.user_roles[input.user][scope]
	data.role_actions[role][input.action]
	not denied
}

denied if {
	some scope in input.scopes
	some denial in data.user_denials[input.user][scope]
	data.denial_actions[denial][input.action]
}
