import { isGuid } from '../../../lib/ids.ts';
import { refusal } from './refusals.ts';

/** One clause of a `$filter`, as Azure documents it, and what its value must be. */
const clauses = {
  atScope: { form: 'atScope()', value: 'none' },
  atScopeAndBelow: { form: 'atScopeAndBelow()', value: 'none' },
  assignedTo: { form: "assignedTo('{object id}')", value: 'guid' },
  principalId: { form: "principalId eq '{object id}'", value: 'guid' },
  gdprExportPrincipalId: { form: "gdprExportPrincipalId eq '{object id}'", value: 'guid' },
  denyAssignmentName: { form: "denyAssignmentName eq '{name}'", value: 'text' },
  roleName: { form: "roleName eq '{name}'", value: 'text' },
  type: { form: "type eq '{BuiltInRole, CustomRole}'", value: 'role-type' },
} as const;

export type Clause = keyof typeof clauses;

/** The value of each clause that the filter has; texts that are compared without case are in lower case. */
export type Filter<C extends Clause> = Readonly<Partial<Record<C, string>>>;

const byWord: ReadonlyMap<string, Clause> = new Map(
  (Object.keys(clauses) as Clause[]).map((clause) => [clause.toLowerCase(), clause]),
);
const roleTypes = ['builtinrole', 'customrole'];
const longest = 2_048;

/** `word()` or `word('text')`; `word eq 'text'` or `word eq guid`; then `and` or the end. OData 4.01 part 2, §5.1.1. */
const clause =
  /^(?:([a-z]+)\((?:'((?:[^']|'')*)')?\)|([a-z]+)\s+eq\s+(?:'((?:[^']|'')*)'|([0-9a-f-]{36})))(?:\s+and\s+(?=\S)|$)/i;

/**
 * The clauses of a `$filter`, joined by `and`, each at most once. Throws `invalid_request` (InvalidFilter), naming the
 * forms that there are, for any other text: a filter that is not understood must not widen the answer.
 * learn.microsoft.com/rest/api/authorization
 */
export function parseFilter<C extends Clause>(text: string | null, allowed: readonly C[]): Filter<C> {
  const filter: Partial<Record<C, string>> = {};
  let rest = text?.trim() ?? '';
  if (rest.length > longest) throw invalid(rest, allowed);
  while (rest !== '') {
    const [whole = '', called, argument, compared, quoted, bare] = clause.exec(rest) ?? [];
    const word = byWord.get((called ?? compared ?? '').toLowerCase());
    const key = allowed.find((name) => name === word);
    if (key === undefined || Object.hasOwn(filter, key)) throw invalid(rest, allowed);
    if (clauses[key].form.includes('(') !== (called !== undefined)) throw invalid(rest, allowed);
    const value = valueOf(key, argument ?? quoted ?? bare);
    if (value === null) throw invalid(rest, allowed);
    filter[key] = value;
    rest = rest.slice(whole.length);
  }
  return filter;
}

/** Null where the clause does not take this value. */
function valueOf(key: Clause, given: string | undefined): string | null {
  const value = given?.replaceAll("''", "'").toLowerCase();
  switch (clauses[key].value) {
    case 'none':
      return value === undefined ? '' : null;
    case 'guid':
      return value !== undefined && isGuid(value) ? value : null;
    case 'role-type':
      return value !== undefined && roleTypes.includes(value) ? value : null;
    case 'text':
      return value ?? null;
  }
}

function invalid(text: string, allowed: readonly Clause[]): Error {
  const forms = allowed.map((name) => clauses[name].form).join('; ');
  return refusal(
    'invalid_request',
    'InvalidFilter',
    `The filter is not understood from "${text.slice(0, 200)}" on. What there is here, joined by and: ${forms}.`,
  );
}
