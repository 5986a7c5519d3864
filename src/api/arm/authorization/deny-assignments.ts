import { isWithin } from '../../../policy/scope.ts';
import { guarded, json } from './exchanges.ts';
import { parseFilter } from './filter.ts';
import type { TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { denyAssignmentBody } from './representations.ts';

/** Read-only, as in Azure. learn.microsoft.com/rest/api/authorization/deny-assignments */
export const describeDenyAssignments: TypeDescriber = (head, { scope, name }, { snapshot }) => {
  if (head.method !== 'GET') return null;
  return guarded('denyAssignments/read', scope, 'read', { kind: 'none' }, async () => {
    if (name !== null) {
      const assignment = snapshot.denyAssignment(name);
      if (assignment?.scope !== scope) {
        throw refusal('not_found', 'DenyAssignmentNotFound', `The deny assignment '${name}' is not found.`);
      }
      return json(200, denyAssignmentBody(assignment));
    }
    const filter = parseFilter(head.query.get('$filter'), ['atScope', 'principalId']);
    const value = [];
    for (const assignment of snapshot.denyAssignments()) {
      const above = isWithin(scope, assignment.scope);
      if (!above && (filter.atScope || !isWithin(assignment.scope, scope))) continue;
      if (filter.principalId && !assignment.principals.some((id) => id === filter.principalId)) continue;
      value.push(denyAssignmentBody(assignment));
    }
    return json(200, { value, nextLink: null });
  });
};
