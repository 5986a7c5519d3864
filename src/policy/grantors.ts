import { isAllowed } from './decide.ts';
import type { PrincipalId } from '../lib/ids.ts';
import type { Grantor, Who } from './explanation.ts';
import { principalTypeOf } from './grant-request.ts';
import { whoIs } from './group-path.ts';
import type { PrincipalNode } from './engine/principals.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access } from './types.ts';

const granting = 'Microsoft.Authorization/roleAssignments/write';
const shown = 10;
const shownPeople = 5;
/** Members of one group that are looked at; beyond it the count is a lower bound. */
const examinedMembers = 1_000;

/** What would be granted: conditions on the right to grant ask for it. */
export interface Granted {
  readonly principal: PrincipalId;
  readonly role: string | null;
}

/**
 * Who may write this role assignment at a scope: those that assignments name there or above, each asked of `isAllowed`
 * with what their conditions ask for.
 */
export function grantorsAt(
  snapshot: PolicySnapshot,
  scope: string,
  granted: Granted,
): { readonly grantors: readonly Grantor[]; readonly more: number } {
  const found: Grantor[] = [];
  const access = grantingAccess(snapshot, scope, granted);
  for (const candidate of candidates(snapshot, scope)) {
    if (!may(snapshot, candidate, access)) continue;
    const principal = whoIs(snapshot, candidate.id);
    if (principal.kind !== 'group') {
      found.push({ principal, people: [], peopleCount: 0 });
      continue;
    }
    const people = peopleOf(candidate)
      .filter((member) => may(snapshot, member, access))
      .map((member) => whoIs(snapshot, member.id));
    if (people.length > 0) {
      found.push({ principal, people: firstByName(people), peopleCount: people.length });
    }
  }
  return { grantors: found.slice(0, shown), more: Math.max(0, found.length - shown) };
}

/** Nearest scope first. */
function candidates(snapshot: PolicySnapshot, scope: string): Set<PrincipalNode> {
  const found = new Set<PrincipalNode>();
  const ancestors = snapshot.ancestors(scope);
  const roles = new Set<string>();
  for (const { id } of snapshot.roleDefinitions()) {
    if (snapshot.permissionsOf(id)?.contains(granting.toLowerCase(), false)) roles.add(id);
  }
  const nearestFirst = [...snapshot.assignmentsAt(ancestors, (id) => roles.has(id))].sort(
    (a, b) => ancestors.indexOf(a.scope) - ancestors.indexOf(b.scope) || (a.id < b.id ? -1 : 1),
  );
  for (const { principalId } of nearestFirst) {
    const node = snapshot.engine.principals.get(principalId);
    if (node) found.add(node);
  }
  return found;
}

function may(snapshot: PolicySnapshot, { id }: PrincipalNode, access: Access): boolean {
  return isAllowed(snapshot, id, access);
}

/** What is asked of whoever would write this role assignment. */
export function grantingAccess(
  snapshot: PolicySnapshot,
  scope: string,
  { principal, role }: Granted,
): Access {
  const kind = snapshot.principal(principal)?.kind;
  const request = {
    'microsoft.authorization/roleassignments:principalid': principal,
    ...(kind ? { 'microsoft.authorization/roleassignments:principaltype': principalTypeOf(kind) } : {}),
    ...(role ? { 'microsoft.authorization/roleassignments:roledefinitionid': role } : {}),
  };
  return { action: granting, dataAction: false, scope, attributes: { request } };
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

/** The few that are shown, of perhaps a thousand: without sorting them all. */
function firstByName(people: readonly Who[]): Who[] {
  const first: Who[] = [];
  for (const each of people) {
    let at = first.length;
    while (at > 0 && byName(each, first[at - 1] ?? each) < 0) at--;
    if (at >= shownPeople) continue;
    first.splice(at, 0, each);
    first.length = Math.min(first.length, shownPeople);
  }
  return first;
}

const { compare } = new Intl.Collator('en');

function byName(a: Who, b: Who): number {
  return compare(a.name, b.name) || (a.id < b.id ? -1 : 1);
}
