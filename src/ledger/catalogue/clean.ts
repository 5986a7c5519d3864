import { canonicalJson, type Json, type JsonObject } from '../../lib/canonical-json.ts';
import { withheld } from '../../store/recorded-change.ts';
import { isSecretName, mayHoldCredential, withoutCredentials } from './credentials.ts';

/**
 * A value as the ledger takes it: text is made well-formed, what JSON cannot carry becomes null, and anything that
 * looks like a credential is taken out, whoever put it there. Nothing can add structure.
 */
export function clean(value: unknown): Json {
  if (typeof value === 'string') return cleanString(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) return value.map(clean);
  return cleanObject(value);
}

/** The same, for an object. Members in the order of RFC 8785 §3.2.3; those that are undefined are left out. */
export function cleanObject(value: object): JsonObject {
  const out: Record<string, Json> = {};
  const members = membersOf(value);
  for (const name of namesInOrder(value)) {
    const member = members[name];
    if (member === undefined) continue;
    const cleaned = isSecretName(name) ? withheld : clean(member);
    if (name === '__proto__') Object.defineProperty(out, name, { value: cleaned, enumerable: true });
    else out[name.toWellFormed()] = cleaned;
  }
  return out;
}

/** For what is put into an event as it came: the object itself where it is plain, else a clean copy, which is in order. */
export function cleanUnlessPlain(value: JsonObject): JsonObject {
  return isPlain(value) ? value : cleanObject(value);
}

/**
 * canonicalJson(cleanObject(value)), several times faster for what is plain and needs no cleaning: the platform's own
 * JSON.stringify prints each value as RFC 8785 does.
 */
export function cleanText(value: object): string {
  if (isPlain(value)) {
    const text = JSON.stringify(value);
    if (!mayHoldLoneSurrogate(text) && !mayHoldCredential(text)) return text;
  }
  return canonicalJson(cleanObject(value));
}

/**
 * The members of every object in it are in order, none named as a secret, so that JSON.stringify prints it as it is to
 * stand. Every event is asked this: plain loops, no copies, and each member read by the name that the loop is at, which the
 * engine does without looking it up.
 */
export function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i])) return false;
    return true;
  }
  if (typeof value !== 'object' || value === null) return true;
  const members = membersOf(value);
  let previous = '';
  for (const name in members) {
    const member = members[name];
    if (member === undefined) continue;
    if (name < previous || isSecretName(name)) return false;
    if (typeof member === 'object' && !isPlain(member)) return false;
    previous = name;
  }
  return true;
}

/** Names that are not well-formed become others, of which two may be the same: they are taken as they come. */
function namesInOrder(value: object): string[] {
  const names = Object.keys(value);
  let previous = '';
  let isInOrder = true;
  for (const name of names) {
    if (!name.isWellFormed()) return names;
    isInOrder &&= previous <= name;
    previous = name;
  }
  return isInOrder ? names : names.sort();
}

function membersOf(value: object): Readonly<Record<string, unknown>> {
  return value as Readonly<Record<string, unknown>>;
}

function cleanString(text: string): string {
  return withoutCredentials(text.isWellFormed() ? text : text.toWellFormed());
}

/** In printed JSON, where it is an escape. */
function mayHoldLoneSurrogate(text: string): boolean {
  return text.includes('\\') && /\\ud[89a-f]/.test(text);
}
