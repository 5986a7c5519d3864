import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { StoredSecret } from '../../../identity/directory/credentials.ts';

const most = 1024;

/**
 * Remembers, under a key that lives and dies with the process, that a client secret was right, so that a client
 * which asks for tokens often does not cost a scrypt computation each time. It knows a secret only together with its
 * stored verifier: a credential that was removed or replaced is never asked about.
 */
export class VerifiedSecrets {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Buffer>();

  knows(stored: StoredSecret, secret: string): boolean {
    const known = this.#known.get(stored.id);
    return known !== undefined && timingSafeEqual(known, this.#mark(stored, secret));
  }

  remember(stored: StoredSecret, secret: string): void {
    this.#known.delete(stored.id);
    this.#known.set(stored.id, this.#mark(stored, secret));
    if (this.#known.size <= most) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  #mark(stored: StoredSecret, secret: string): Buffer {
    return createHmac('sha256', this.#key).update(`${stored.id}\n${stored.verifier}\n${secret}`).digest();
  }
}
