import type { Json, JsonObject } from '../../lib/canonical-json.ts';

/** Stands where a credential was. */
export const withheld = '[credential withheld]';

/**
 * A value as the ledger takes it: text is made well-formed, what JSON cannot carry becomes null, and anything that
 * looks like a credential is taken out, whoever put it there. Keys keep their place; nothing can add structure.
 */
export function clean(value: unknown): Json {
  switch (typeof value) {
    case 'string':
      return cleanText(value);
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'boolean':
      return value;
    case 'object':
      break;
    default:
      return null;
  }
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(clean);
  return cleanObject(value);
}

/** The same, for an object: its members in the same order, those that are undefined left out. */
export function cleanObject(value: object): JsonObject {
  const out: [string, Json][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) out.push([key.toWellFormed(), secretKeys.has(key.toLowerCase()) ? withheld : clean(member)]);
  }
  return Object.fromEntries(out);
}

/** Members that no event has a use for. */
const secretKeys = new Set([
  'password',
  'secret',
  'client_secret',
  'clientsecret',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'assertion',
  'client_assertion',
  'subject_token',
  'authorization',
  'cookie',
  'set-cookie',
  'private_key',
  'privatekey',
]);

function cleanText(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  if (!mayHoldCredential.test(wellFormed)) return wellFormed;
  return wellFormed.replaceAll(tokenRun, (run) => (isCredential(run) ? withheld : run));
}

const mayHoldCredential = /eyJ|PRIVATE|sig=/i;
/** Runs of the characters that tokens and query members are made of; every character is read once. */
const tokenRun = /[\w.=%+~-]+/g;

function isCredential(run: string): boolean {
  if (/^sig=./i.test(run)) return true;
  const jwtAt = run.indexOf('eyJ');
  return (jwtAt >= 0 && run.slice(jwtAt).split('.').length >= 3) || /^PRIVATE\+KEY\+/.test(run);
}
