import { hash } from 'node:crypto';

/** Bytes in a SHA-256 hash. */
export const hashBytes = 32;

/** The root of the tree without entries: SHA-256 of nothing. RFC 6962 §2.1. */
export const emptyRoot: Uint8Array = hash('sha256', '', 'buffer');

/** Where the prefix and what is hashed are put together; nothing in them outlives a call. */
const leafInput = Buffer.alloc(1 + 65_535, 0);
const nodeInput = Buffer.alloc(1 + 2 * hashBytes, 1);
const halfTile = Buffer.alloc(128 * hashBytes);

/** H(0x00 ‖ entry). RFC 6962 §2.1. */
export function leafHash(entry: Uint8Array): Uint8Array {
  const own = Buffer.allocUnsafe(hashBytes);
  writeLeafHash(entry, own, 0);
  return own;
}

/** The same, written into `target` from this byte on. */
export function writeLeafHash(entry: Uint8Array, target: Buffer, at: number): void {
  const input = entry.length < leafInput.length ? leafInput : Buffer.alloc(1 + entry.length, 0);
  input.set(entry, 1);
  writeDigest(input.subarray(0, 1 + entry.length), target, at);
}

/** H(0x01 ‖ left ‖ right). RFC 6962 §2.1. Throws a RangeError for what is not two hashes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== hashBytes || right.length !== hashBytes)
    throw new RangeError('a node is made of two hashes');
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + hashBytes);
  const own = Buffer.allocUnsafe(hashBytes);
  writeDigest(nodeInput, own, 0);
  return own;
}

/** A digest as text, written as bytes here, comes four times as fast as one that Node makes a buffer of. */
function writeDigest(input: Uint8Array, target: Buffer, at: number): void {
  target.write(hash('sha256', input, 'binary'), at, hashBytes, 'latin1');
}

/** The Merkle Tree Hash over consecutive hashes of one level, left to right. RFC 6962 §2.1. */
export function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const [first] = hashes;
  if (first === undefined) return emptyRoot;
  if (hashes.length === 1) return first;
  if (Number.isInteger(Math.log2(hashes.length))) return perfectRoot(Buffer.concat(hashes));
  const split = largestPowerOfTwoBelow(hashes.length);
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

/** The same over 2^k hashes, one after the other: every node has both children. */
export function perfectRoot(hashes: Buffer): Uint8Array {
  const above = hashes.length <= 2 * halfTile.length ? halfTile : Buffer.alloc(hashes.length / 2);
  let level = hashes;
  for (let length = hashes.length; length > hashBytes; length /= 2) {
    for (let from = 0; from < length; from += 2 * hashBytes) {
      level.copy(nodeInput, 1, from, from + 2 * hashBytes);
      writeDigest(nodeInput, above, from / 2);
    }
    level = above;
  }
  return Buffer.from(level.subarray(0, hashBytes));
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
