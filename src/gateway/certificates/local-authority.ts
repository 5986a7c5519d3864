import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { permittedDnsTree, signCertificate } from './certificate.ts';

export interface KeyAndCertificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface LocalCertificate extends KeyAndCertificate {
  /** PEM file of the authority: what `NODE_EXTRA_CA_CERTS` and `REQUESTS_CA_BUNDLE` point at. */
  readonly caCertificatePath: string;
  /** PEM of the leaf's private key. */
  readonly key: string;
  /** PEM of the leaf and, after it, of the authority. */
  readonly cert: string;
  /** The same for clients that name a host, without addresses. */
  readonly named: KeyAndCertificate;
  /** When to call again for a fresh leaf; milliseconds since the epoch. */
  readonly renewAt: number;
}

const day = 86_400_000;
const authorityDays = 3650;
const leafDays = 90;
const renewDays = 30;
const keyName = 'authority-key.pem';
const always = ['localhost', '*.localhost', '127.0.0.1', '::1'];

/**
 * The certificate of this machine's HTTPS listener, from an authority of its own that is made on the first call and can
 * vouch for nothing but loopback and the given host names (name constraints, RFC 5280 §4.2.1.10). The leaf lives 90
 * days and is made anew when 30 remain or the names change. Keys are files with mode 0600, written atomically.
 * There are two: BoringSSL, which gRPC's C core and Envoy verify with, knows constraints on names alone, and refuses a
 * leaf that holds an address beneath any others.
 * Throws when the authority cannot vouch for a name, or its key is gone: it never replaces what people trust already.
 */
export async function ensureLocalAuthority(
  directory: string,
  hostnames: readonly string[],
  clock: Clock = systemClock,
): Promise<LocalCertificate> {
  const names = [...new Set([...always, ...hostnames.map((name) => name.toLowerCase())])];
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const caCertificatePath = join(directory, 'authority.pem');

  let authorityPem = await readIfThere(caCertificatePath);
  if (authorityPem === null) {
    const made = makeAuthority(permittedTrees(names), clock);
    await writeAtomically(join(directory, keyName), made.key, 0o600);
    await writeAtomically(caCertificatePath, made.cert, 0o644);
    authorityPem = made.cert;
  }
  const authority = new X509Certificate(authorityPem);
  const keyOf = () => signingKey(directory, authority, names, clock);
  const whole = await ensureLeaf(join(directory, 'server.pem'), authority, { names, keyOf, clock });
  const hosts = names.filter((name) => isIP(name) === 0);
  const named = await ensureLeaf(join(directory, 'server-named.pem'), authority, {
    names: hosts,
    keyOf,
    clock,
  });
  return {
    caCertificatePath,
    ...keyAndCertificate(whole, authorityPem),
    named: keyAndCertificate(named, authorityPem),
    renewAt: Math.min(...[whole, named].map(endOf)) - renewDays * day,
  };
}

interface LeafOptions {
  readonly names: readonly string[];
  /** Throws when the authority can make none. */
  readonly keyOf: () => Promise<KeyObject>;
  readonly clock: Clock;
}

/** PEM of the key and the certificate in that file, which is made where there is none that is fit. */
async function ensureLeaf(
  path: string,
  authority: X509Certificate,
  { names, keyOf, clock }: LeafOptions,
): Promise<string> {
  const leaf = await readIfThere(path);
  if (leaf !== null && isFit(leaf, authority, names, clock)) return leaf;
  const fresh = makeLeaf(authority, await keyOf(), names, clock);
  await writeAtomically(path, fresh, 0o600);
  return fresh;
}

/** The authority's key, if it may still vouch for these names. */
async function signingKey(
  directory: string,
  authority: X509Certificate,
  names: readonly string[],
  clock: Clock,
): Promise<KeyObject> {
  const keyPath = join(directory, keyName);
  const remedy = `Remove ${directory} for a new authority; every client must then be told to trust that one.`;
  const foreign = permittedTrees(names).filter((name) => !permits(authority, name));
  if (foreign.length > 0) {
    throw new Error(`the local authority in ${directory} may not vouch for ${foreign.join(', ')}. ${remedy}`);
  }
  if (authority.validToDate.getTime() - clock.now() < day) {
    throw new Error(`the local authority in ${directory} is at its end. ${remedy}`);
  }
  const keyPem = await readIfThere(keyPath);
  if (keyPem === null) throw new Error(`${keyPath} is missing, so no certificate can be made. ${remedy}`);
  return createPrivateKey(keyPem);
}

function makeAuthority(permitted: readonly string[], clock: Clock): { key: string; cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const commonName = `Lockstep local authority ${randomBytes(4).toString('hex')}`;
  const cert = signCertificate({
    commonName,
    issuerCommonName: commonName,
    publicKey,
    issuerKey: privateKey,
    issuerPublicKey: publicKey,
    notBefore: clock.now() - day,
    notAfter: clock.now() + authorityDays * day,
    use: { kind: 'authority', permitted },
  });
  return { key: pemOf(privateKey), cert };
}

function makeLeaf(
  authority: X509Certificate,
  authorityKey: KeyObject,
  names: readonly string[],
  clock: Clock,
): string {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const cert = signCertificate({
    commonName: 'Lockstep',
    issuerCommonName: commonNameOf(authority),
    publicKey,
    issuerKey: authorityKey,
    issuerPublicKey: createPublicKey(authorityKey),
    notBefore: clock.now() - day,
    notAfter: Math.min(clock.now() + leafDays * day, authority.validToDate.getTime()),
    use: { kind: 'server', names },
  });
  return pemOf(privateKey) + cert;
}

/** Signed by this authority, for exactly these names, and far enough from its end. */
function isFit(leafPem: string, authority: X509Certificate, names: readonly string[], clock: Clock): boolean {
  const leaf = new X509Certificate(certificatePart(leafPem));
  if (!leaf.verify(authority.publicKey)) return false;
  if (leaf.validToDate.getTime() - clock.now() <= renewDays * day) return false;
  const stated = (leaf.subjectAltName ?? '').split(', ');
  return (
    stated.length === names.length &&
    names.every((name) =>
      isIP(name) === 0 ? stated.includes(`DNS:${name}`) : leaf.checkIP(name) !== undefined,
    )
  );
}

/** The fewest DNS names that, with what is beneath them, cover every one of the host names. */
function permittedTrees(hostNames: readonly string[]): string[] {
  const bare = new Set(
    hostNames
      .filter((name) => isIP(name) === 0)
      .map((name) => (name.startsWith('*.') ? name.slice(2) : name)),
  );
  return [...bare].filter((name) => ![...bare].some((other) => name.endsWith(`.${other}`))).sort();
}

/** Whether the name, or a parent of it, is a permitted subtree. */
function permits(authority: X509Certificate, name: string): boolean {
  const labels = name.split('.');
  return labels.some((_, index) => authority.raw.includes(permittedDnsTree(labels.slice(index).join('.'))));
}

function commonNameOf(certificate: X509Certificate): string {
  return /^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? '';
}

function keyAndCertificate(leaf: string, authorityPem: string): KeyAndCertificate {
  const cert = certificatePart(leaf);
  return { key: leaf.slice(0, leaf.length - cert.length), cert: `${cert}${authorityPem}` };
}

function endOf(leaf: string): number {
  return new X509Certificate(certificatePart(leaf)).validToDate.getTime();
}

function certificatePart(text: string): string {
  return text.slice(text.indexOf('-----BEGIN CERTIFICATE-----'));
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (fault) {
    if (fault instanceof Error && 'code' in fault && fault.code === 'ENOENT') return null;
    throw fault;
  }
}

async function writeAtomically(path: string, text: string, mode: number): Promise<void> {
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  const file = await open(part, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}
