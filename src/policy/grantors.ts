import { decide } from './decide.ts';
import type { Grantor, Who } from './explanation.ts';
import { whoIs } from './group-path.ts';
import type { PrincipalNode } from './engine/principals.ts';
import type { PolicySnapshot } from './snapshot.ts';

const granting = 'Microsoft.Authorization/roleAssignments/write';
const shown = 10;
const shownPeople = 5;
/** Members of one group that are looked at; beyond it the count is a lower bound. */
const examinedMembers = 1_000;

/** Who may write a role assignment at a scope: those that assignments name there or above, each asked of `decide`. */
export function grantorsAt(
  snapshot: PolicySnapshot,
  scope: string,
): { readonly grantors: readonly Grantor[]; readonly more: number } {
  const found: Grantor[] = [];
  for (const candidate of candidates(snapshot, scope)) {
    if (!may(snapshot, candidate, scope)) continue;
    const principal = whoIs(snapshot, candidate.id);
    if (principal.kind !== 'group') {
      found.push({ principal, people: [], peopleCount: 0 });
      continue;
    }
    const people = peopleOf(candidate)
      .filter((member) => may(snapshot, member, scope))
      .map((member) => whoIs(snapshot, member.id))
      .sort(byName);
    if (people.length > 0) {
      found.push({ principal, people: people.slice(0, shownPeople), peopleCount: people.length });
    }
  }
  return { grantors: found.slice(0, shown), more: Math.max(0, found.length - shown) };
}

/** Nearest scope first. */
function candidates(snapshot: PolicySnapshot, scope: string): Set<PrincipalNode> {
  const found = new Set<PrincipalNode>();
  const ancestors = snapshot.ancestors(scope);
  const nearestFirst = [...snapshot.assignmentsAt(ancestors)].sort(
    (a, b) => ancestors.indexOf(a.scope) - ancestors.indexOf(b.scope) || (a.id < b.id ? -1 : 1),
  );
  for (const { principalId, roleDefinitionId } of nearestFirst) {
    const node = snapshot.engine.principals.get(principalId);
    const grants = snapshot.permissionsOf(roleDefinitionId)?.contains(granting.toLowerCase(), false);
    if (node && grants) found.add(node);
  }
  return found;
}

function may(snapshot: PolicySnapshot, { id }: PrincipalNode, scope: string): boolean {
  return decide(snapshot, id, { action: granting, dataAction: false, scope }).allowed;
}

function peopleOf(group: PrincipalNode): PrincipalNode[] {
  const beneath = new Set([group]);
  const people: PrincipalNode[] = [];
  for (const node of beneath) {
    if (node.record?.kind === 'user') people.push(node);
    if (people.length >= examinedMembers) break;
    for (const member of node.members ?? []) beneath.add(member);
  }
  return people;
}

function byName(a: Who, b: Who): number {
  return a.name.localeCompare(b.name, 'en') || (a.id < b.id ? -1 : 1);
}
