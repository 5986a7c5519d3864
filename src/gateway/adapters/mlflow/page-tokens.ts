import { z } from 'zod';
import { failure } from '../../../lib/errors.ts';
import { createSealer } from '../../../store/sealer.ts';

/** So many items into the upstream's page of a token, which is empty for its first page. */
export interface Position {
  readonly token: string;
  readonly skip: number;
}

export const beginning: Position = { token: '', skip: 0 };

const sealed = z.tuple([z.string(), z.int().nonnegative()]);
const context = 'mlflow-page-token';
/** More than any of MLflow's own takes, so that all have one length. */
const paddedCharacters = 128;

/**
 * Tokens of next pages, which tell nothing: MLflow's own hold an offset, and so count what was passed over unseen. One
 * leads on for who asks the same again, and for nobody and nothing else: a place among other items would tell of those.
 */
export class PageTokens {
  readonly #keysFor: (purpose: string) => readonly Uint8Array[];

  constructor(keysFor: (purpose: string) => readonly Uint8Array[]) {
    this.#keysFor = keysFor;
  }

  seal({ token, skip }: Position, asked: string): string {
    const [key] = this.#keys(asked);
    if (key === undefined) throw new Error('there is no key for page tokens');
    const text = JSON.stringify([token, skip]);
    const length = Math.ceil(text.length / paddedCharacters) * paddedCharacters;
    return createSealer(key).seal(text.padEnd(length), context);
  }

  /** Throws `invalid_request` for what was not given to who asks, for what is asked. */
  open(given: string, asked: string): Position {
    for (const key of this.#keys(asked)) {
      const text = opened(given, key);
      if (text === null) continue;
      const [token, skip] = sealed.parse(JSON.parse(text));
      return { token, skip };
    }
    // MLflow's own words, which programs may look for.
    throw failure('invalid_request', 'Invalid page token, could not base64-decode');
  }

  /** One for each thing that may be asked: so many tokens are never made with one that its nonces could meet. */
  #keys(asked: string): readonly Uint8Array[] {
    return this.#keysFor(`${context}\0${asked}`);
  }
}

function opened(given: string, key: Uint8Array): string | null {
  try {
    return createSealer(key).open(given, context);
  } catch {
    return null;
  }
}
