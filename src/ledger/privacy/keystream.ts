import { createCipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { RandomPool } from '../../lib/random-pool.ts';

/** Bytes of a counter block: 12 at random, then the number of the block, big end first. NIST SP 800-38A, Appendix B. */
export const counterBytes = 16;
const nonceBytes = 12;
const blockBytes = 16;
/** Made ahead at first, and at most: a key that is used once is not worth more. */
const leastAhead = 256;
const mostAhead = 4_096;

const nonces = new RandomPool(nonceBytes);

/** Of a subject's secret, for nothing else. RFC 5869. */
export function keystreamKey(secret: Uint8Array): KeyObject {
  return createSecretKey(
    new Uint8Array(hkdfSync('sha256', secret, '', 'lockstep personal values, AES-256-CTR', 32)),
  );
}

/**
 * The keystream of AES-256-CTR under one key, made some kilobytes at a time: to begin a cipher costs many times what it does
 * to a hundred bytes. No byte of it is given out twice, and none is kept once it is.
 */
export class Keystream {
  readonly #key: KeyObject;
  #nonce: Uint8Array = new Uint8Array(nonceBytes);
  #stream = Buffer.alloc(0);
  #at = 0;
  #ahead = leastAhead;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /**
   * Encrypts `out` from `start` on in place, and writes the counter block that it begins at to `out` at `counterAt`. `length`
   * is a multiple of 16.
   */
  encrypt(out: Buffer, start: number, length: number, counterAt: number): void {
    if (this.#at + length > this.#stream.length) this.#begin(length);
    out.set(this.#nonce, counterAt);
    out.writeUInt32BE(this.#at / blockBytes, counterAt + nonceBytes);
    const stream = this.#stream;
    const from = this.#at - start;
    for (let i = start; i < start + length; i++) out[i] = (out[i] ?? 0) ^ (stream[from + i] ?? 0);
    this.#at += length;
  }

  #begin(length: number): void {
    this.#nonce = nonces.next();
    const counter = Buffer.alloc(counterBytes);
    counter.set(this.#nonce);
    this.#stream = createCipheriv('aes-256-ctr', this.#key, counter).update(
      Buffer.alloc(Math.max(length, this.#ahead)),
    );
    this.#at = 0;
    this.#ahead = Math.min(mostAhead, this.#ahead * 2);
  }
}
