import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { fromBase64, toBase64 } from './tlog/base64.ts';

/** Ed25519 over the note text. c2sp.org/signed-note, "Signature types". */
const ed25519 = 0x01;
const keyIdBytes = 4;
const seedBytes = 32;
const maxSignatures = 100;

/** Signs note texts under one name. */
export interface NoteSigner {
  readonly name: string;
  /** `name+hex(key id)+base64(type ‖ public key)`: what others verify with. */
  readonly verifierKey: string;
  /** The whole signed note. `text` ends in a newline. Throws for a text that a note cannot carry. */
  sign(text: string): string;
}

export interface NoteKey {
  /** `PRIVATE+KEY+…`: a secret. */
  readonly signingKey: string;
  readonly verifierKey: string;
}

export type OpenedNote =
  | { readonly ok: true; readonly text: string; readonly signedBy: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** A new Ed25519 key under `name`. Throws for a name that is empty or holds white space or `+`. */
export function generateNoteKey(name: string): NoteKey {
  checkName(name);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const typed = Buffer.concat([Uint8Array.of(ed25519), jwkBytes(privateKey, 'd')]);
  const id = keyId(name, jwkBytes(publicKey, 'x')).toString('hex');
  return {
    signingKey: `PRIVATE+KEY+${name}+${id}+${toBase64(typed)}`,
    verifierKey: formatVerifierKey(name, jwkBytes(publicKey, 'x')),
  };
}

/** Reads a signing key as generateNoteKey writes it. Throws, without quoting it, when it is malformed. */
export function createSigner(signingKey: string): NoteSigner {
  const form = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(signingKey);
  const [, name, id, encoded] = form ?? [];
  const typed = encoded === undefined ? null : fromBase64(encoded);
  if (name === undefined || typed?.[0] !== ed25519 || typed.length !== 1 + seedBytes) {
    throw new TypeError('the signing key is not an Ed25519 note key');
  }
  checkName(name);
  const privateKey = privateKeyOf(typed.subarray(1));
  const publicBytes = jwkBytes(createPublicKey(privateKey), 'x');
  const ownId = keyId(name, publicBytes);
  if (ownId.toString('hex') !== id) {
    throw new TypeError('the signing key does not belong to the name that it carries');
  }
  return {
    name,
    verifierKey: formatVerifierKey(name, publicBytes),
    sign: (text) => {
      if (!isNoteText(text)) throw new TypeError('a note cannot carry this text');
      const signature = Buffer.concat([ownId, sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n— ${name} ${toBase64(signature)}\n`;
    },
  };
}

/**
 * Opens a signed note with the keys that the reader trusts: ok when at least one of them signed it.
 * A bad signature under a trusted key's name and id refuses the whole note; unknown signatures are ignored.
 * c2sp.org/signed-note.
 */
export function openNote(note: string, verifierKeys: readonly string[]): OpenedNote {
  const keys = verifierKeys.map(parseVerifierKey);
  if (keys.includes(null)) return refused('a verifier key is malformed');
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return refused('it is not a signed note');
  const text = note.slice(0, split + 1);
  if (!isNoteText(text)) return refused('the note text is malformed');
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > maxSignatures) return refused('the note carries too many signatures');
  const signedBy = new Set<string>();
  for (const line of lines) {
    const [, name, encoded] = /^— ([^\s+]+) (\S+)$/.exec(line) ?? [];
    const signature = encoded === undefined ? null : fromBase64(encoded);
    if (name === undefined || signature === null || signature.length <= keyIdBytes) {
      return refused('a signature line is malformed');
    }
    const key = keys.find((candidate) => candidate?.name === name && startsWith(signature, candidate.id));
    if (!key) continue;
    if (!verify(null, Buffer.from(text), key.publicKey, signature.subarray(keyIdBytes))) {
      return refused(`the signature of ${name} does not verify`);
    }
    signedBy.add(name);
  }
  if (signedBy.size === 0) return refused('no trusted key has signed the note');
  return { ok: true, text, signedBy: [...signedBy] };
}

interface VerifierKey {
  readonly name: string;
  readonly id: Uint8Array;
  readonly publicKey: KeyObject;
}

function parseVerifierKey(text: string): VerifierKey | null {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const typed = encoded === undefined ? null : fromBase64(encoded);
  if (name === undefined || typed?.[0] !== ed25519 || typed.length !== 1 + seedBytes) return null;
  const expected = keyId(name, typed.subarray(1));
  if (expected.toString('hex') !== id) return null;
  const publicKey = createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(typed.subarray(1)).toString('base64url') },
  });
  return { name, id: expected, publicKey };
}

function formatVerifierKey(name: string, publicBytes: Uint8Array): string {
  const typed = Buffer.concat([Uint8Array.of(ed25519), publicBytes]);
  return `${name}+${keyId(name, publicBytes).toString('hex')}+${toBase64(typed)}`;
}

/** SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4] */
function keyId(name: string, publicBytes: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(ed25519), publicBytes]);
  return hash('sha256', named, 'buffer').subarray(0, keyIdBytes);
}

/** RFC 8410 §7: the fixed DER head of an Ed25519 private key in PKCS #8, then the seed. */
function privateKeyOf(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return createPrivateKey({ format: 'der', type: 'pkcs8', key: der });
}

function jwkBytes(key: KeyObject, member: 'd' | 'x'): Buffer {
  const value = key.export({ format: 'jwk' })[member];
  if (value === undefined) throw new TypeError(`the key has no ${member}`);
  return Buffer.from(value, 'base64url');
}

function checkName(name: string): void {
  if (!/^[^\s+]+$/u.test(name) || !isNoteText(`${name}\n`)) {
    throw new TypeError('a key name must not be empty nor hold white space or +');
  }
}

/** Ends in a newline, well-formed, and without control characters other than newline. */
function isNoteText(text: string): boolean {
  if (!text.endsWith('\n') || !text.isWellFormed()) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a) return false;
  }
  return true;
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, prefix.length), prefix) === 0;
}

function refused(reason: string): OpenedNote {
  return { ok: false, reason };
}
