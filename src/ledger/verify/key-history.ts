import { openNote, parseVerifierKey } from '../note.ts';
import { parseDecimal } from '../tlog/checkpoint.ts';
import { refusal, type Refusal } from './refusal.ts';

/** `compromised`: the old key may be in other hands, so its word for the new one is worth nothing by itself. */
export type ExchangeReason = 'planned' | 'compromised';

/** That one key of a log follows another. */
export interface KeyExchangeNote {
  /** The log's name, and that of both keys. */
  readonly origin: string;
  readonly from: string;
  readonly to: string;
  /** Unix seconds, by the clock of the log. */
  readonly time: number;
  readonly reason: ExchangeReason;
}

export type KeyWalk =
  | {
      readonly ok: true;
      /** The key that the log signs with now, as far as the history goes. */
      readonly current: string;
      /** Every key that what is trusted vouches for, directly or through others: the oldest first, `current` the last. */
      readonly keys: readonly string[];
      /**
       * Of these, what may have signed today's checkpoint: the newest that is trusted, and what follows it. A retired key
       * that somebody still holds is worth nothing to whoever trusts one after it.
       */
      readonly onward: readonly string[];
      /** The exchanges between them, in order. */
      readonly exchanges: readonly KeyExchangeNote[];
    }
  | Refusal;

/** No origin holds a space, so that no checkpoint begins like this: neither is ever taken for the other. */
const firstLine = 'lockstep key exchange v1';

/**
 * The text that both keys sign, the old one because it vouches, the new one because it is really held. Lines: what this
 * is, the origin, `from` and `to` with the verifier keys, `time` in Unix seconds, `reason`.
 */
export function formatKeyExchange({ origin, from, to, time, reason }: KeyExchangeNote): string {
  return `${firstLine}\n${origin}\nfrom ${from}\nto ${to}\ntime ${time}\nreason ${reason}\n`;
}

/** The file `key-history` of a log: the signed notes of its exchanges, the oldest first. */
export function formatKeyHistory(notes: readonly string[]): string {
  return notes.join('\n');
}

/**
 * Leads from keys that a reader trusts to those that the log signs with now, and back to those that signed before, by
 * nothing but the signatures in `history`: offline. A history that names two successors of one key is refused whole, and so
 * is one that leaves out a key of the log that is trusted.
 * Past an exchange of a compromised key it does not go, in either direction: whoever stole the key could have written it.
 */
export function walkKeys(history: string, trusted: readonly string[]): KeyWalk {
  const exchanges: KeyExchangeNote[] = [];
  for (const [i, note] of notesOf(history).entries()) {
    const exchange = openKeyExchange(note);
    if (exchange === null)
      return refusal(`note ${i + 1} of the key history is not an exchange that both keys have signed`);
    exchanges.push(exchange);
  }
  const after = new Map<string, KeyExchangeNote>();
  const before = new Map<string, KeyExchangeNote>();
  for (const exchange of exchanges) {
    if (after.has(exchange.from) || before.has(exchange.to)) {
      return refusal(
        `the key history contradicts itself: ${exchange.from} or ${exchange.to} is exchanged twice`,
      );
    }
    after.set(exchange.from, exchange);
    before.set(exchange.to, exchange);
  }
  const start = trusted.find((key) => after.has(key) || before.has(key));
  if (start === undefined) {
    const [only, ...others] = trusted;
    if (exchanges.length === 0 && only !== undefined && !others.some((key) => nameOf(key) === nameOf(only)))
      return { ok: true, current: only, keys: trusted, onward: trusted, exchanges: [] };
    return refusal('none of the keys that are trusted occurs in the key history');
  }
  return walkFrom(start, trusted, after, before);
}

function walkFrom(
  start: string,
  trusted: readonly string[],
  after: ReadonlyMap<string, KeyExchangeNote>,
  before: ReadonlyMap<string, KeyExchangeNote>,
): KeyWalk {
  const path: KeyExchangeNote[] = [];
  const seen = new Set([start]);
  let current = start;
  for (let next = after.get(current); next !== undefined; next = after.get(current)) {
    if (seen.has(next.to)) return refusal('the key history goes in a circle');
    if (next.reason === 'compromised' && !trusted.includes(next.to)) {
      return refusal(
        `${next.from} was given up as compromised on ${dateOf(next.time)}, in favour of ${next.to}: whoever stole it could ` +
          'have written that. Ask the operator of the log for the new key by another way, and trust that',
      );
    }
    if (next.reason === 'planned') path.push(next);
    else path.length = 0;
    seen.add(next.to);
    current = next.to;
  }
  let first = path[0]?.from ?? current;
  for (let last = before.get(first); last?.reason === 'planned'; last = before.get(first)) {
    if (path.includes(last)) return refusal('the key history goes in a circle');
    path.unshift(last);
    first = last.from;
  }
  // One that stole an old key can leave out those that came after it.
  for (let last = before.get(start); last !== undefined && !seen.has(last.from); last = before.get(last.from))
    seen.add(last.from);
  const left = trusted.find((key) => nameOf(key) === nameOf(start) && !seen.has(key));
  if (left !== undefined)
    return refusal(
      `the key history says nothing of ${left}, which is trusted too: it is not that of this log`,
    );
  const keys = [first, ...path.map(({ to }) => to)];
  const onward = keys.slice(keys.findLastIndex((key) => trusted.includes(key)));
  return { ok: true, current, keys, onward, exchanges: path };
}

/** Null unless it is in exactly the form of formatKeyExchange, of two keys of one log, and both have signed it. */
export function openKeyExchange(note: string): KeyExchangeNote | null {
  const [head, origin = '', fromLine = '', toLine = '', timeLine = '', reasonLine = '', blank] = note.split(
    '\n',
    7,
  );
  if (head !== firstLine || blank !== '') return null;
  const from = valueOf('from', fromLine);
  const to = valueOf('to', toLine);
  const time = parseDecimal(valueOf('time', timeLine) ?? '');
  const reason = valueOf('reason', reasonLine);
  if (from === null || to === null || from === to || time === null) return null;
  if (reason !== 'planned' && reason !== 'compromised') return null;
  for (const text of [from, to]) {
    const key = parseVerifierKey(text);
    if (key?.kind !== 'note' || key.name !== origin) return null;
  }
  const exchange: KeyExchangeNote = { origin, from, to, time, reason };
  const opened = openNote(note, [from, to]);
  if (!opened.ok || opened.text !== formatKeyExchange(exchange)) return null;
  const signed = new Set(opened.signatures.map(({ verifierKey }) => verifierKey));
  return signed.has(from) && signed.has(to) ? exchange : null;
}

function nameOf(verifierKey: string): string {
  return verifierKey.split('+', 1)[0] ?? '';
}

function notesOf(history: string): string[] {
  if (history === '') return [];
  return history.split(new RegExp(`\\n(?=${firstLine}\\n)`));
}

function valueOf(name: string, line: string): string | null {
  return line.startsWith(`${name} `) ? line.slice(name.length + 1) : null;
}

function dateOf(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(0, 10);
}
