import { createHash, hash } from 'node:crypto';

/** Bytes in a SHA-256 hash. */
export const hashBytes = 32;

/** The root of the tree without entries: SHA-256 of nothing. RFC 6962 §2.1. */
export const emptyRoot: Uint8Array = hash('sha256', '', 'buffer');

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** H(0x00 ‖ entry). RFC 6962 §2.1. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return createHash('sha256').update(leafPrefix).update(entry).digest();
}

/** H(0x01 ‖ left ‖ right). RFC 6962 §2.1. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(nodePrefix).update(left).update(right).digest();
}

/** The Merkle Tree Hash over consecutive hashes of one level, left to right. RFC 6962 §2.1. */
export function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const [first] = hashes;
  if (first === undefined) return emptyRoot;
  if (hashes.length === 1) return first;
  const split = largestPowerOfTwoBelow(hashes.length);
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

/** The largest power of two that is less than `n`, for n ≥ 2. Exact to 2^53. */
export function largestPowerOfTwoBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
