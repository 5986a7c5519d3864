import { failure } from '../../lib/errors.ts';
import type { Condition } from './expression.ts';
import { literalPrefix } from './pattern.ts';

/** Claims that say which repository, project or account an outside token stands for. */
const strongClaims = new Set([
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
/** Claims that narrow a repository down to what its owners have reviewed. */
const narrowingClaims = new Set(['environment', 'ref', 'ref_protected', 'job_workflow_ref', 'workflow_ref']);

/**
 * Refuses conditions that would let strangers in: with no claim that says *whose* token it is, or with a wildcard
 * before the first delimiter of each such claim. Answers warnings for what is allowed but wider than it looks.
 * Throws `invalid_request`.
 */
export function lintConditions(conditions: readonly Condition[]): string[] {
  const strong = conditions.filter(({ claim }) => strongClaims.has(claim));
  if (strong.length === 0)
    throw failure(
      'invalid_request',
      `A federated credential must name at least one of ${[...strongClaims].join(', ')}; ` +
        `${conditions.map(({ claim }) => claim).join(', ')} alone would match other people's workloads.`,
    );
  if (!strong.some(isAnchored))
    throw failure(
      'invalid_request',
      `The pattern ${strong.map(({ value }) => `'${value}'`).join(', ')} would match other owners' workloads: ` +
        'write the owner and its delimiter before the first wildcard, such as contoso/*.',
    );
  const warnings: string[] = [];
  for (const condition of strong) {
    if (condition.operator === 'matches' && !isAnchored(condition))
      warnings.push(`The pattern '${condition.value}' for ${condition.claim} does not end its owner's name.`);
  }
  const owners = conditions.filter(
    ({ claim }) => claim !== 'repository_owner' && claim !== 'repository_owner_id',
  );
  const named = new Set(conditions.map(({ claim }) => claim));
  const aboutRepository = [...named].some((claim) => claim.startsWith('repository'));
  if (
    aboutRepository &&
    !strong.some(({ claim }) => claim === 'repository_id' || claim === 'repository_owner_id')
  )
    warnings.push(
      'repository names can be given up and taken by others; add repository_id or repository_owner_id.',
    );
  const wide =
    owners.length === 0 ||
    strong.some(({ value, operator }) => operator === 'matches' && /[/:]\*/.test(value));
  const narrowed =
    [...named].some((claim) => narrowingClaims.has(claim)) ||
    conditions.some(({ claim, value }) => claim === 'sub' && /:(?:ref|environment):[^*]/.test(value));
  if (wide && !narrowed)
    warnings.push(
      'every repository of the owner may use this credential from any branch; add environment or ref.',
    );
  else if (aboutRepository && !narrowed)
    warnings.push('any branch of the repository may use this credential; add environment or ref.');
  return warnings;
}

/** Exact, or with the owner's whole name before the first wildcard. */
function isAnchored({ claim, operator, value }: Condition): boolean {
  if (operator === 'eq') return true;
  const prefix = literalPrefix(value);
  if (claim === 'sub' || claim === 'job_workflow_ref' || claim === 'workflow_ref') {
    // `repo:contoso/…`, `project_path:contoso/…`, `system:serviceaccount:ml:…`: kind, then owner, then delimiter.
    return (
      /^(?:[\w-]+:)?[^/:]+(?:@\d+)?[/:]/.test(prefix) &&
      !/^(?:repo|project_path|organization):[^/:]*$/.test(prefix)
    );
  }
  return /[^/:]+[/:]/.test(prefix);
}
