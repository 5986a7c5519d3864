import { failure, type LockstepError } from '../lib/errors.ts';
import type { PrincipalId } from '../lib/ids.ts';
import {
  administration,
  bearsOn,
  holdersOf,
  holds,
  isAdministrative,
  liftsDenials,
  policyAt,
  unconditionally,
  type Post,
} from '../policy/administrators.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { Change, CommitGuard, DenyAssignment, PrincipalRecord, Tx } from '../store/changes.ts';
import { loadPolicyAt } from '../store/policy-at.ts';
import { loadPlacements } from '../store/policy-rows.ts';

export interface LastOwnerParts {
  /** The policy as it stands before the transaction. */
  readonly snapshot: PolicySnapshot;
  /** Whether a principal that is enabled could come in by itself, as the transaction leaves it. */
  reachable(tx: Tx, principal: PrincipalRecord): Promise<boolean>;
}

const root: Post = { scope: '/', actions: administration };

/** How many people a refusal names. */
const named = 3;

/** How many of those who were found to hold a post are asked first the next time. */
const mostRemembered = 32;

/**
 * Nobody locks the house. Asked of every transaction, by whatever way it came: if it can take rights away, somebody must
 * be left afterwards, enabled and reachable, who may write and delete role and deny assignments without a condition at
 * the root and at every subscription, and who may delete each deny assignment where it stands. Throws `last_owner`
 * where the transaction takes the last one away; what was locked before stays as it is.
 */
export function lastOwnerGuard(parts: LastOwnerParts): CommitGuard {
  /** Only a hint at whom to look at: whether they still hold a post is asked each time. */
  const lastFound = new Set<PrincipalId>();
  const mayLock = rememberedPerDenial((denial) => bearsOn(denial.permissions, [liftsDenials]));
  return async (tx, changes) => {
    const taking = changes.filter((change) => mayTakeAway(change, parts.snapshot));
    if (taking.length === 0) return;
    const isReachable = rememberedPerPrincipal((principal) => parts.reachable(tx, principal));
    const atRoot = await rootHolder(tx, lastFound, isReachable);
    if (atRoot !== null) remember(lastFound, atRoot.id);
    const denials = await tx.selectFrom('deny_assignments').select('scope').distinct().execute();
    if (atRoot !== null && denials.length === 0) return;
    const placements = await loadPlacements(tx);
    const empty = { principals: [], memberships: [], roleDefinitions: [], roleAssignments: [] };
    const tree = unconditionally({ ...empty, denyAssignments: [], placements, version: 0 });
    const subscriptions = placements.map(({ scope }) => scope).filter(isSubscription);
    const posts = postsOf(parts.snapshot, changes, taking, subscriptions, mayLock);
    const deniedAt = new Set(denials.map(({ scope }) => scope));
    const mayBeOpen = ({ scope }: Post): boolean =>
      atRoot === null || tree.ancestors(scope).some((above) => deniedAt.has(above));
    const asked = posts.filter(
      (post) => mayBeOpen(post) && taking.some((change) => reaches(change, post.scope, tree)),
    );
    if (asked.length === 0) return;
    const scopes = new Set(asked.flatMap(({ scope }) => tree.ancestors(scope)));
    const policyOf = async (only: readonly PrincipalId[] | null) =>
      unconditionally(
        await loadPolicyAt(tx, { scopes: [...scopes], placements, matters: isAdministrative, only }),
      );
    const open =
      lastFound.size === 0 ? asked : await notHeld(await policyOf([...lastFound]), asked, isReachable);
    if (open.length === 0) return;
    const after = await policyOf(null);
    for (const post of open) {
      const holder = await holderOf(after, post, isReachable);
      if (holder !== null) {
        remember(lastFound, holder.id);
        continue;
      }
      const lost = lostBy(parts.snapshot, after, post, taking);
      if (lost.length > 0) throw lastOwner(post, lost, taking);
    }
  };
}

/** Whether a change can leave anybody with less. What only adds never locks. */
function mayTakeAway(change: Change, before: PolicySnapshot): boolean {
  switch (change.kind) {
    case 'principal.updated':
      return change.principal.kind !== 'job';
    case 'principal.deleted':
      return change.principalKind !== 'job';
    case 'group.member-added':
      // A group may be denied something.
      return before.denyAssignments().next().done !== true;
    case 'role-assignment.put':
      // Scope, role and principal of an assignment stay what they were; only a condition narrows it.
      return (change.assignment.condition ?? null) !== null;
    case 'credential.removed':
      return before.principal(change.principal)?.kind === 'application';
    case 'group.member-removed':
    case 'role-definition.put':
    case 'role-definition.deleted':
    case 'role-assignment.deleted':
    case 'deny-assignment.put':
    case 'scope.placed':
    case 'scope.removed':
      return true;
    default:
      return false;
  }
}

/** Whether a change can bear on what holds at a scope; those of principals, groups and roles do everywhere. */
function reaches(change: Change, scope: string, after: PolicySnapshot): boolean {
  switch (change.kind) {
    case 'role-assignment.put':
    case 'role-assignment.deleted':
    case 'deny-assignment.put':
      return after.isWithin(scope, change.assignment.scope);
    default:
      return true;
  }
}

/** The root, the subscriptions, and every place where a deny assignment would have to be deleted. */
function postsOf(
  before: PolicySnapshot,
  changes: readonly Change[],
  taking: readonly Change[],
  placed: readonly string[],
  mayLock: (denial: DenyAssignment) => boolean,
): Post[] {
  const governed = new Set(['/', ...placed]);
  for (const change of taking) {
    if ('assignment' in change && isSubscription(change.assignment.scope))
      governed.add(change.assignment.scope);
  }
  const denials = new Map(Array.from(before.denyAssignments(), (denial) => [denial.id, denial]));
  for (const change of changes) {
    if (change.kind === 'deny-assignment.put') denials.set(change.assignment.id, change.assignment);
    if (change.kind === 'deny-assignment.deleted') denials.delete(change.assignment.id);
  }
  const denied = new Set([...denials.values()].filter(mayLock).map(({ scope }) => scope));
  return [
    ...Array.from(governed, (scope) => ({ scope, actions: administration })),
    ...Array.from(denied, (scope) => ({ scope, actions: [liftsDenials] })),
  ];
}

/**
 * Somebody who holds the root as the transaction leaves it, those first of whom it was known before; null for nobody. What is
 * assigned there holds everywhere beneath where nothing is denied: then nobody looks at the many scopes there are.
 */
async function rootHolder(
  tx: Tx,
  known: ReadonlySet<PrincipalId>,
  isReachable: IsReachable,
): Promise<PrincipalRecord | null> {
  const at = { scopes: [root.scope], placements: [], matters: isAdministrative };
  for (const only of known.size === 0 ? [null] : [[...known], null]) {
    const holder = await holderOf(
      unconditionally(await loadPolicyAt(tx, { ...at, only })),
      root,
      isReachable,
    );
    if (holder !== null) return holder;
  }
  return null;
}

type IsReachable = (principal: PrincipalRecord) => Promise<boolean>;

async function notHeld(
  after: PolicySnapshot,
  posts: readonly Post[],
  isReachable: IsReachable,
): Promise<Post[]> {
  const open: Post[] = [];
  for (const post of posts) if ((await holderOf(after, post, isReachable)) === null) open.push(post);
  return open;
}

/** The first who holds the post and could come in. */
async function holderOf(
  after: PolicySnapshot,
  post: Post,
  isReachable: IsReachable,
): Promise<PrincipalRecord | null> {
  for (const holder of holdersOf(after, post)) if (await isReachable(holder)) return holder;
  return null;
}

function remember(found: Set<PrincipalId>, id: PrincipalId): void {
  found.add(id);
  const [oldest] = found;
  if (found.size > mostRemembered && oldest !== undefined) found.delete(oldest);
}

/** Of those who held the post before, whom the change takes it from. Empty if it was held by nobody, or is kept. */
function lostBy(
  before: PolicySnapshot,
  after: PolicySnapshot,
  post: Post,
  taking: readonly Change[],
): PrincipalRecord[] {
  const touched = new Set(taking.flatMap(principalsOf));
  const held = unconditionally(policyAt(before, before.ancestors(post.scope)));
  const lost: PrincipalRecord[] = [];
  for (const holder of holdersOf(held, post)) {
    const { id, sponsorId } = holder;
    const isTouched = touched.has(id) || (sponsorId !== null && touched.has(sponsorId));
    if (isTouched || !holds(after, id, post)) lost.push(holder);
    if (lost.length > named) break;
  }
  return lost;
}

function principalsOf(change: Change): PrincipalId[] {
  switch (change.kind) {
    case 'principal.updated':
      return [change.principal.id];
    case 'principal.deleted':
      return [change.id];
    case 'credential.removed':
      return [change.principal];
    default:
      return [];
  }
}

function lastOwner(
  { scope, actions }: Post,
  lost: readonly PrincipalRecord[],
  taking: readonly Change[],
): LockstepError {
  const shown = lost.slice(0, named).map(({ displayName }) => displayName);
  const who = shown.join(', ') + (lost.length > named ? ' and others' : '');
  const denial = taking.find((change) => change.kind === 'deny-assignment.put');
  const sentence = denial
    ? `The deny assignment '${denial.assignment.name}' would leave nobody who could delete it: exclude somebody ` +
      `who may delete deny assignments at ${scope} (such as ${who}) and can sign in.`
    : actions === administration
      ? `This would leave nobody who may give and take away roles at ${scope}; until now that is ${who}. Make ` +
        'somebody else Owner there first: an enabled person who has a password, or an application with a credential.'
      : `This would leave nobody who could delete the deny assignments at ${scope}; until now that is ${who}. ` +
        'Delete them first, or exclude somebody else from them.';
  return failure('last_owner', sentence, { scope });
}

function isSubscription(scope: string): boolean {
  return /^\/subscriptions\/[^/]+$/.test(scope);
}

/** One holder may hold many posts. */
function rememberedPerPrincipal(ask: IsReachable): IsReachable {
  const known = new Map<PrincipalId, Promise<boolean>>();
  return (principal) => {
    const found = known.get(principal.id) ?? ask(principal);
    known.set(principal.id, found);
    return found;
  };
}

/** Denials are looked at again with every change, and never change themselves. */
function rememberedPerDenial(ask: (denial: DenyAssignment) => boolean): (denial: DenyAssignment) => boolean {
  const known = new WeakMap<DenyAssignment, boolean>();
  return (denial) => {
    const found = known.get(denial) ?? ask(denial);
    known.set(denial, found);
    return found;
  };
}
