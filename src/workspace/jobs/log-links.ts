import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';

/**
 * Links that need no credential, because Azure's clients fetch logs without one: each is good for one file of one job
 * until a moment that is part of what is signed (HMAC-SHA-256).
 */
export class LogLinks {
  readonly #key: Uint8Array;
  readonly #clock: Clock;
  readonly #seconds: number;

  constructor(options: { key: Uint8Array; clock: Clock; seconds?: number }) {
    if (options.key.byteLength < 32) throw new RangeError('a key for log links has at least 32 bytes');
    this.#key = options.key;
    this.#clock = options.clock;
    this.#seconds = options.seconds ?? 600;
  }

  /** The query of a link. */
  query(jobId: string, file: string): string {
    const expires = String(Math.floor(this.#clock.now() / 1000) + this.#seconds);
    return new URLSearchParams({ se: expires, sig: this.#sign(jobId, file, expires) }).toString();
  }

  /** Throws `access_denied` unless the link was made here for just this file and has not lapsed. */
  check(jobId: string, file: string, query: URLSearchParams): void {
    const [expires, ...moreExpires] = query.getAll('se');
    const [signature, ...moreSignatures] = query.getAll('sig');
    const bad = failure(
      'access_denied',
      'This link is not valid, or no longer. Ask for the details of the run again.',
    );
    if (expires === undefined || signature === undefined) throw bad;
    if (moreExpires.length > 0 || moreSignatures.length > 0 || !/^\d{1,12}$/.test(expires)) throw bad;
    const expected = Buffer.from(this.#sign(jobId, file, expires));
    const presented = Buffer.from(signature);
    if (expected.length !== presented.length || !timingSafeEqual(expected, presented)) throw bad;
    if (this.#clock.now() >= Number(expires) * 1000) throw bad;
  }

  #sign(jobId: string, file: string, expires: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify(['lockstep log link', jobId, file, expires]))
      .digest('base64url');
  }
}
