import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

interface Cost {
  /** CPU and memory cost; a power of two. */
  readonly N: number;
  /** Block size. */
  readonly r: number;
  /** Parallelisation. */
  readonly p: number;
}

/** The OWASP Password Storage Cheat Sheet's scrypt setting with the least memory: 16 MiB a computation. */
const currentCost: Cost = { N: 2 ** 14, r: 8, p: 5 };
const saltBytes = 16;
const hashBytes = 32;
/** A stored value may not ask for more memory than this; it would be a way to stall the process. */
const maximumMemory = 256 * 1024 * 1024;

const form = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9_-]{16,86})\$([A-Za-z0-9_-]{43,86})$/;

/**
 * A verifier for a person's password or a client's secret: `scrypt$N$r$p$salt$hash`, both base64url.
 * The secret is normalised (NFKC) first, so that it may be typed on any keyboard. RFC 7914; NIST SP 800-63B §3.1.1.2.
 */
export async function hashPassword(secret: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(secret, salt, hashBytes, currentCost);
  const { N, r, p } = currentCost;
  return `scrypt$${N}$${r}$${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/**
 * Whether `secret` is the one behind `stored`; the comparison takes the same time wherever they differ.
 * Throws if `stored` is not in the form of `hashPassword`.
 */
export async function verifyPassword(secret: string, stored: string): Promise<boolean> {
  const { cost, salt, hash } = parse(stored);
  return timingSafeEqual(await derive(secret, salt, hash.byteLength, cost), hash);
}

/** Costs what a verification costs and is always false: for accounts that do not exist or have no password. */
export async function verifyNoPassword(secret: string): Promise<false> {
  await derive(secret, Buffer.alloc(saltBytes), hashBytes, currentCost);
  return false;
}

/** Whether `stored` was made at another cost than today's, so that the next sign-in should store it anew. */
export function isOutdated(stored: string): boolean {
  const { cost } = parse(stored);
  return cost.N !== currentCost.N || cost.r !== currentCost.r || cost.p !== currentCost.p;
}

function parse(stored: string): { cost: Cost; salt: Buffer; hash: Buffer } {
  const [, N, r, p, salt, hash] = form.exec(stored) ?? [];
  if (salt === undefined || hash === undefined) throw new Error('a stored password is not in scrypt form');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  return { cost, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}

function derive(secret: string, salt: Buffer, length: number, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret.normalize('NFKC'), salt, length, { ...cost, maxmem: maximumMemory }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
