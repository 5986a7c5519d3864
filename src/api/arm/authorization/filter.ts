import { isGuid } from '../../../lib/ids.ts';
import { refusal } from './refusals.ts';

/** The OData `$filter` forms that Azure documents for this provider, joined by `and`. */
export interface Filter {
  readonly atScope: boolean;
  readonly principalId: string | null;
  readonly assignedTo: string | null;
  readonly roleName: string | null;
  readonly type: string | null;
}

const clause =
  /^\s*(?:(atscope|atscopeandbelow)\(\)|(assignedto)\('((?:[^']|'')*)'\)|(principalid|rolename|type)\s+eq\s+'((?:[^']|'')*)')(?:\s+and(?=\s)|\s*$)/i;

/**
 * Throws `invalid_request` (InvalidFilter) for any other text: a filter that is not understood must not widen the answer.
 * learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
 */
export function parseFilter(text: string | null, allowed: readonly (keyof Filter)[]): Filter {
  const filter = { atScope: false, principalId: null, assignedTo: null, roleName: null, type: null };
  if (text === null || text.trim() === '') return filter;
  const found = new Map<keyof Filter, string>();
  let rest = text.slice(0, 2_048);
  while (rest !== '') {
    const match = clause.exec(rest);
    const [whole, scopeForm, assigned, assignedId, field, value] = match ?? [];
    const key = keyOf((scopeForm ?? assigned ?? field ?? '').toLowerCase());
    if (whole === undefined || !key || !allowed.includes(key) || found.has(key)) throw invalid(text);
    const given = (assignedId ?? value ?? scopeForm ?? '').replaceAll("''", "'");
    if ((key === 'principalId' || key === 'assignedTo') && !isGuid(given)) throw invalid(text);
    found.set(key, given);
    rest = rest.slice(whole.length);
  }
  return {
    atScope: found.get('atScope')?.toLowerCase() === 'atscope',
    principalId: found.get('principalId')?.toLowerCase() ?? null,
    assignedTo: found.get('assignedTo')?.toLowerCase() ?? null,
    roleName: found.get('roleName') ?? null,
    type: found.get('type') ?? null,
  };
}

function keyOf(word: string): keyof Filter | null {
  switch (word) {
    case 'atscope':
    case 'atscopeandbelow':
      return 'atScope';
    case 'assignedto':
      return 'assignedTo';
    case 'principalid':
      return 'principalId';
    case 'rolename':
      return 'roleName';
    case 'type':
      return 'type';
    default:
      return null;
  }
}

function invalid(text: string): Error {
  return refusal(
    'invalid_request',
    'InvalidFilter',
    `The filter "${text.slice(0, 200)}" is not supported here.`,
  );
}
