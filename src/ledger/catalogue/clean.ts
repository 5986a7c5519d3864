import { canonicalJson, type Json, type JsonObject } from '../../lib/canonical-json.ts';
import { withheld } from '../../store/recorded-change.ts';
import { ordered, unorderable } from './member-order.ts';

/**
 * A value as the ledger takes it: text is made well-formed, what JSON cannot carry becomes null, and anything that
 * looks like a credential is taken out, whoever put it there. Keys keep their place; nothing can add structure.
 */
export function clean(value: unknown): Json {
  if (typeof value === 'string') return cleanString(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) return value.map(clean);
  return cleanObject(value);
}

/** The same, for an object: its members in the same order, those that are undefined left out. */
export function cleanObject(value: object): JsonObject {
  const out: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const cleaned = secretKeys.has(key.toLowerCase()) ? withheld : clean(member);
    if (key === '__proto__') Object.defineProperty(out, key, { value: cleaned, enumerable: true });
    else out[key.isWellFormed() ? key : key.toWellFormed()] = cleaned;
  }
  return out;
}

/**
 * canonicalJson(cleanObject(value)), several times faster for what needs no cleaning: the platform's own
 * JSON.stringify prints each value as RFC 8785 does, so only the order of members is ours to see to.
 */
export function cleanText(value: object): string {
  const inOrder = ordered(value);
  if (inOrder !== unorderable) {
    const text = JSON.stringify(inOrder);
    if (!needsCleaning.test(text)) return text;
  }
  return canonicalJson(cleanObject(value));
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

function cleanString(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  if (!mayHoldCredential.test(wellFormed)) return wellFormed;
  if (wholeIsCredential.test(wellFormed)) return withheld;
  return wellFormed.replaceAll(tokenRun, (run) => (isCredential(run) ? withheld : run));
}

const mayHoldCredential = /eyJ|PRIVATE|[sS][iI][gG]=/;
const wholeIsCredential = /PRIVATE\+KEY\+|-----BEGIN [A-Z ]{0,32}PRIVATE KEY/;
/** Runs of the characters that tokens and query members are made of; every character is read once. */
const tokenRun = /[\w.=%+~-]+/g;

/** A signature of a signed URL, or a JSON Web Token. */
function isCredential(run: string): boolean {
  if (run.toLowerCase().startsWith('sig=')) return true;
  const jwtAt = run.indexOf('eyJ');
  return jwtAt >= 0 && run.slice(jwtAt).split('.').length >= 3;
}

/** In printed JSON: what cleanString or cleanObject would change. A lone surrogate is printed as an escape. */
const needsCleaning = new RegExp(
  `${mayHoldCredential.source}|\\\\ud[89a-f]|"(?:${[...secretKeys].join('|')})":`,
  'iu',
);
