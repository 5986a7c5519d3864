import { failure } from '../../lib/errors.ts';
import type { Condition } from './expression.ts';
import { literalPrefix } from './pattern.ts';

/** Claims that say whose workload it is. An environment or a branch has the same name at everyone's. */
const ownerClaims = new Set([
  'sub',
  'repository',
  'repository_id',
  'repository_owner',
  'repository_owner_id',
  'job_workflow_ref',
  'workflow_ref',
  'project_id',
  'project_path',
  'namespace_id',
  'namespace_path',
  'oid',
  'azp',
  'client_id',
  'email',
]);
/** Claims that narrow an owner's workloads down to those that passed a review. */
const narrowingClaims = new Set(['environment', 'ref', 'ref_protected', 'job_workflow_ref', 'workflow_ref']);
const lastingIds = new Set(['repository_id', 'repository_owner_id']);

/**
 * Refuses conditions that strangers could meet: no claim says whose token it is, or only patterns whose wildcard
 * comes before the owner's name has ended. Answers warnings for what is allowed but wider than it looks.
 * Throws `invalid_request`.
 */
export function lintConditions(conditions: readonly Condition[]): string[] {
  const owners = conditions.filter(({ claim }) => ownerClaims.has(claim));
  if (owners.length === 0)
    throw failure(
      'invalid_request',
      `A federated credential must name at least one of ${[...ownerClaims].join(', ')}: ` +
        `other people's workloads have the same ${conditions.map(({ claim }) => claim).join(', ')}.`,
    );
  if (!owners.some(namesOwner))
    throw failure(
      'invalid_request',
      `${owners.map(({ value }) => `'${value}'`).join(', ')} would match other owners' workloads: write the ` +
        "owner's whole name before the first wildcard, such as contoso/* or repo:contoso/*.",
    );
  return [...openPatterns(owners), ...reusableNames(conditions), ...anyBranch(conditions)];
}

/** Exact, or with the owner's name and its delimiter before the first wildcard; in `sub` a kind comes before it. */
function namesOwner({ claim, operator, value }: Condition): boolean {
  if (operator === 'eq') return true;
  const delimited = claim === 'sub' ? /^[^:/]+:[^:/]+[:/]/ : /^[^:/]+[:/]/;
  return delimited.test(literalPrefix(value));
}

function openPatterns(owners: readonly Condition[]): string[] {
  return owners
    .filter((condition) => !namesOwner(condition))
    .map(({ claim, value }) => `the pattern '${value}' for ${claim} also fits other owners.`);
}

function reusableNames(conditions: readonly Condition[]): string[] {
  const byName = conditions.some(({ claim }) => claim === 'repository' || claim === 'repository_owner');
  if (!byName || conditions.some(({ claim }) => lastingIds.has(claim))) return [];
  return ['names can be given up and taken by others; add repository_id or repository_owner_id.'];
}

function anyBranch(conditions: readonly Condition[]): string[] {
  const repository = conditions.some(({ claim }) => claim.startsWith('repository'));
  const openSubject = conditions.some(({ claim, operator }) => claim === 'sub' && operator === 'matches');
  const narrowed = conditions.some(
    ({ claim, operator, value }) =>
      narrowingClaims.has(claim) ||
      (claim === 'sub' && (operator === 'eq' || /:(?:ref|environment):[^*?]/.test(value))),
  );
  if (narrowed || !(repository || openSubject)) return [];
  const oneRepository = conditions.some(
    ({ claim, operator }) => operator === 'eq' && (claim === 'repository' || claim === 'repository_id'),
  );
  const which = oneRepository
    ? 'any branch of the repository'
    : 'every repository of the owner, from any branch,';
  return [`${which} may use this credential; add environment or ref.`];
}
