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

/** What is signed under a key: the note text itself, or that a witness has seen it at a time. */
export type KeyKind = 'note' | 'cosignature';

/** c2sp.org/signed-note, "Signature types"; c2sp.org/tlog-cosignature, "Format". Both are Ed25519. */
const typeBytes = { note: 0x01, cosignature: 0x04 } as const;
const keyIdBytes = 4;
const seedBytes = 32;
const timestampBytes = 8;
const signatureBytes = 64;
const maxSignatures = 100;

/** Signs note texts under one name. */
export interface NoteSigner {
  readonly name: string;
  /** `name+hex(key id)+base64(type ‖ public key)`: what others verify with. */
  readonly verifierKey: string;
  /** All keys that sign: more than one while a key takes the place of another. The first is the newest. */
  readonly verifierKeys: readonly string[];
  /** The whole signed note. `text` ends in a newline. Throws for a text that a note cannot carry. */
  sign(text: string): string;
}

/** Says of a checkpoint's text that its log has only grown, as far as this witness has seen. c2sp.org/tlog-cosignature. */
export interface Cosigner {
  readonly name: string;
  readonly verifierKey: string;
  /** One signature line, newline included. Throws for a text that a note cannot carry. */
  cosign(text: string, unixSeconds: number): string;
}

export interface NoteKey {
  /** `PRIVATE+KEY+…`: a secret. */
  readonly signingKey: string;
  readonly verifierKey: string;
}

/** A signature of a note that verifies. */
export interface NoteSignature {
  readonly name: string;
  readonly verifierKey: string;
  /** Unix seconds at which a witness cosigned; null for a plain signature. */
  readonly time: number | null;
  /** The line as it stands in the note, without its newline. */
  readonly line: string;
}

export type OpenedNote =
  | {
      readonly ok: true;
      readonly text: string;
      readonly signatures: readonly NoteSignature[];
      /** Ids, hex, of other keys of a trusted key's name that are said to have signed too. Unverified. */
      readonly otherKeys: readonly string[];
    }
  | { readonly ok: false; readonly reason: string; readonly otherKeys: readonly string[] };

export interface VerifierKey {
  readonly text: string;
  readonly kind: KeyKind;
  readonly name: string;
  readonly id: Uint8Array;
  readonly publicBytes: Uint8Array;
  readonly publicKey: KeyObject;
}

/** A new Ed25519 key under `name`. Throws for a name that is empty or holds white space or `+`. */
export function generateNoteKey(name: string, kind: KeyKind = 'note'): NoteKey {
  checkName(name);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const typed = Buffer.concat([Uint8Array.of(typeBytes[kind]), jwkBytes(privateKey, 'd')]);
  const id = keyId(name, kind, jwkBytes(publicKey, 'x')).toString('hex');
  return {
    signingKey: `PRIVATE+KEY+${name}+${id}+${toBase64(typed)}`,
    verifierKey: formatVerifierKey(name, kind, jwkBytes(publicKey, 'x')),
  };
}

/** Reads a signing key as generateNoteKey writes it. Throws, without quoting it, when it is malformed. */
export function createSigner(signingKey: string): NoteSigner {
  const { name, verifierKey, id, privateKey } = readSigningKey(signingKey, 'note');
  return {
    name,
    verifierKey,
    verifierKeys: [verifierKey],
    sign: (text) => {
      checkText(text);
      const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n— ${name} ${toBase64(signature)}\n`;
    },
  };
}

/** Signs with every one of them: while one key takes the place of another. Throws unless all bear one name. */
export function signTogether(newest: NoteSigner, others: readonly NoteSigner[]): NoteSigner {
  if (others.some(({ name }) => name !== newest.name)) throw new TypeError('the keys are of different names');
  return {
    name: newest.name,
    verifierKey: newest.verifierKey,
    verifierKeys: [newest, ...others].flatMap(({ verifierKeys }) => verifierKeys),
    sign: (text) =>
      newest.sign(text) + others.map((other) => other.sign(text).slice(text.length + 1)).join(''),
  };
}

/** As createSigner, for a witness's key. */
export function createCosigner(signingKey: string): Cosigner {
  const { name, verifierKey, id, privateKey } = readSigningKey(signingKey, 'cosignature');
  return {
    name,
    verifierKey,
    cosign: (text, unixSeconds) => {
      checkText(text);
      const time = Buffer.alloc(timestampBytes);
      time.writeBigUInt64BE(BigInt(unixSeconds));
      const signature = sign(null, cosignedMessage(text, unixSeconds), privateKey);
      return `— ${name} ${toBase64(Buffer.concat([id, time, signature]))}\n`;
    },
  };
}

/**
 * Opens a signed note with the keys that the reader trusts: ok when at least one of them signed it.
 * A bad signature under a trusted key's name and id refuses the whole note; unknown signatures are ignored.
 * c2sp.org/signed-note.
 */
export function openNote(note: string, verifierKeys: readonly string[]): OpenedNote {
  const keys: VerifierKey[] = [];
  for (const text of verifierKeys) {
    const key = parseVerifierKey(text);
    if (key === null) return refused('a verifier key is malformed');
    keys.push(key);
  }
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return refused('it is not a signed note');
  const text = note.slice(0, split + 1);
  if (!isNoteText(text)) return refused('the note text is malformed');
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > maxSignatures) return refused('the note carries too many signatures');
  const signatures = new Map<string, NoteSignature>();
  const otherKeys: string[] = [];
  for (const line of lines) {
    const [, name, encoded] = /^— ([^\s+]+) (\S+)$/.exec(line) ?? [];
    const signature = encoded === undefined ? null : fromBase64(encoded);
    if (name === undefined || signature === null || signature.length <= keyIdBytes) {
      return refused('a signature line is malformed');
    }
    const key = keys.find((candidate) => candidate.name === name && startsWith(signature, candidate.id));
    if (!key) {
      if (keys.some((trusted) => trusted.kind === 'note' && trusted.name === name))
        otherKeys.push(Buffer.from(signature.subarray(0, keyIdBytes)).toString('hex'));
      continue;
    }
    const time = verifiedTime(key, text, signature.subarray(keyIdBytes));
    if (time === undefined) return refused(`the signature of ${name} does not verify`);
    signatures.set(key.text, { name, verifierKey: key.text, time, line });
  }
  if (signatures.size === 0) return { ok: false, reason: 'no trusted key has signed the note', otherKeys };
  return { ok: true, text, signatures: [...signatures.values()], otherKeys };
}

/** Reads a verifier key of either kind; null when it is malformed or of a kind not known here. */
export function parseVerifierKey(text: string): VerifierKey | null {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const typed = encoded === undefined ? null : fromBase64(encoded);
  const kind = kindOf(typed?.[0]);
  if (name === undefined || typed === null || kind === null || typed.length !== 1 + seedBytes) return null;
  const publicBytes = typed.subarray(1);
  const expected = keyId(name, kind, publicBytes);
  if (expected.toString('hex') !== id) return null;
  const publicKey = createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicBytes).toString('base64url') },
  });
  return { text, kind, name, id: expected, publicBytes, publicKey };
}

/** The time of a cosignature, null for a plain signature; undefined when it does not verify. */
function verifiedTime(key: VerifierKey, text: string, signature: Uint8Array): number | null | undefined {
  if (key.kind === 'note')
    return verify(null, Buffer.from(text), key.publicKey, signature) ? null : undefined;
  if (signature.length !== timestampBytes + signatureBytes) return undefined;
  const time = Number(Buffer.from(signature.subarray(0, timestampBytes)).readBigUInt64BE());
  if (time === 0 || !Number.isSafeInteger(time)) return undefined;
  const message = cosignedMessage(text, time);
  return verify(null, message, key.publicKey, signature.subarray(timestampBytes)) ? time : undefined;
}

/** c2sp.org/tlog-cosignature, "Ed25519 signed message". */
function cosignedMessage(text: string, unixSeconds: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${unixSeconds}\n${text}`);
}

function readSigningKey(signingKey: string, wanted: KeyKind) {
  const form = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(signingKey);
  const [, name, id, encoded] = form ?? [];
  const typed = encoded === undefined ? null : fromBase64(encoded);
  if (name === undefined || typed?.[0] !== typeBytes[wanted] || typed.length !== 1 + seedBytes) {
    throw new TypeError(`the signing key is not an Ed25519 ${wanted} key`);
  }
  checkName(name);
  const privateKey = privateKeyOf(typed.subarray(1));
  const publicBytes = jwkBytes(createPublicKey(privateKey), 'x');
  const ownId = keyId(name, wanted, publicBytes);
  if (ownId.toString('hex') !== id) {
    throw new TypeError('the signing key does not belong to the name that it carries');
  }
  return { name, id: ownId, privateKey, verifierKey: formatVerifierKey(name, wanted, publicBytes) };
}

function kindOf(typeByte: number | undefined): KeyKind | null {
  if (typeByte === typeBytes.note) return 'note';
  return typeByte === typeBytes.cosignature ? 'cosignature' : null;
}

function formatVerifierKey(name: string, kind: KeyKind, publicBytes: Uint8Array): string {
  const typed = Buffer.concat([Uint8Array.of(typeBytes[kind]), publicBytes]);
  return `${name}+${keyId(name, kind, publicBytes).toString('hex')}+${toBase64(typed)}`;
}

/** SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4] */
function keyId(name: string, kind: KeyKind, publicBytes: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(typeBytes[kind]), publicBytes]);
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

function checkText(text: string): void {
  if (!isNoteText(text)) throw new TypeError('a note cannot carry this text');
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
  return { ok: false, reason, otherKeys: [] };
}
