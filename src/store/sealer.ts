import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Keeps secrets unreadable at rest. `context` names what is sealed; opening under another context fails. */
export interface Sealer {
  seal(plain: string, context: string): string;
  /** Throws UnsealableError if the text was changed, was sealed with another key, or under another context. */
  open(sealed: string, context: string): string;
}

/** What was sealed was changed, or sealed with another key or under another context: which of these cannot be told. */
export class UnsealableError extends Error {
  constructor(context: string, cause: unknown) {
    super(`a sealed value (${context}) does not open with this key`, { cause });
    this.name = 'UnsealableError';
  }
}

const version = 'v1';

/** AES-256-GCM (NIST SP 800-38D) with a 96-bit random nonce; `key` is 32 bytes. */
export function createSealer(key: Uint8Array): Sealer {
  if (key.byteLength !== 32)
    throw new RangeError(`a sealing key has 32 bytes, this one has ${key.byteLength}`);
  return {
    seal(plain, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context, 'utf8'));
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${version}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
    },
    open(sealed, context) {
      const [head, nonceText, bodyText] = sealed.split('.');
      if (head !== version || nonceText === undefined || bodyText === undefined) {
        throw new Error(`a sealed value (${context}) is not in the form this version writes`);
      }
      const body = Buffer.from(bodyText, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonceText, 'base64url'), {
        authTagLength: 16,
      })
        .setAAD(Buffer.from(context, 'utf8'))
        .setAuthTag(body.subarray(-16));
      const opened = decipher.update(body.subarray(0, -16));
      try {
        return Buffer.concat([opened, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new UnsealableError(context, cause);
      }
    },
  };
}
