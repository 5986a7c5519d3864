import type { EventFacts } from './event-facts.ts';
import type { TermKeys } from './term-keys.ts';

/** Scopes are looked up by as many of their segments, actions by as many of their parts; the rest is compared. */
export const indexedDepth = 24;

/** The word of all events whose caller has said what they bind and do not hold: no index may tell of that. */
export const sealedCorrelation = 'c';

const maxRemembered = 10_000;

/**
 * The keys of the words of an event: a letter for what it is, then the value. Scopes and actions, which come again and
 * again, are worked out once.
 */
export class EventKeys {
  readonly #keys: TermKeys;
  readonly #ofScopes = new Map<string, readonly number[]>();
  readonly #ofActions = new Map<string, readonly number[]>();

  constructor(keys: TermKeys) {
    this.#keys = keys;
  }

  /** May hold one twice. */
  of(facts: EventFacts): number[] {
    const keys: number[] = [];
    const add = (letter: string, values: readonly string[]): void => {
      for (const value of values) keys.push(this.#keys.of(letter + value));
    };
    for (const scope of facts.resources) {
      keys.push(...remembered(this.#ofScopes, scope, () => this.#keysOf(`r${scope}`, pathEnds(scope))));
    }
    for (const action of facts.actions) {
      keys.push(
        ...remembered(this.#ofActions, action, () => this.#keysOf(`a${action}`, beginningEnds(action))),
      );
    }
    if (facts.decision !== null) keys.push(this.#keys.of(`d${facts.decision}`));
    add('p', facts.persons);
    add('y', facts.policies);
    add('j', facts.jobs);
    add('s', facts.sessions);
    add('l', facts.leases);
    add('c', facts.correlations);
    add('o', facts.outcomes);
    if (facts.isCorrelationSealed) keys.push(this.#keys.of(sealedCorrelation));
    return keys;
  }

  /** Of the word's beginnings up to these places in the value. */
  #keysOf(word: string, ends: readonly number[]): number[] {
    return this.#keys.ofBeginnings(
      word,
      ends.map((end) => end + 1),
    );
  }
}

/** Where every scope above it ends, and itself, to the depth of the index. */
export function pathEnds(scope: string): number[] {
  const ends: number[] = [];
  for (
    let at = scope.indexOf('/', 1);
    at >= 0 && ends.length < indexedDepth;
    at = scope.indexOf('/', at + 1)
  ) {
    ends.push(at);
  }
  if (ends.length < indexedDepth) ends.push(scope.length);
  return ends;
}

/** Where its beginnings end, each with the `/` or `.` that it ends in, and the action itself. */
function beginningEnds(action: string): number[] {
  const ends: number[] = [];
  for (let at = 0; at < action.length && ends.length < indexedDepth; at++) {
    const unit = action[at];
    if (unit === '/' || unit === '.') ends.push(at + 1);
  }
  return [...ends, action.length];
}

function remembered(
  known: Map<string, readonly number[]>,
  value: string,
  make: () => readonly number[],
): readonly number[] {
  const found = known.get(value);
  if (found !== undefined) return found;
  if (known.size >= maxRemembered) known.clear();
  const made = make();
  known.set(value, made);
  return made;
}
