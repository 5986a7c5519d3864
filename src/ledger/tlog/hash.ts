import { hash } from 'node:crypto';

/** Bytes in a SHA-256 hash. */
export const hashBytes = 32;

/** The root of the tree without entries: SHA-256 of nothing. RFC 6962 §2.1. */
export const emptyRoot: Uint8Array = hash('sha256', '', 'buffer');

/** Where the prefix and what is hashed are put together; nothing in them outlives a call. */
const leafInput = Buffer.alloc(1 + 65_535, 0);
const nodeInput = Buffer.alloc(1 + 2 * hashBytes, 1);

/** H(0x00 ‖ entry). RFC 6962 §2.1. */
export function leafHash(entry: Uint8Array): Uint8Array {
  const input = entry.length < leafInput.length ? leafInput : Buffer.alloc(1 + entry.length, 0);
  input.set(entry, 1);
  return sha256(input.subarray(0, 1 + entry.length));
}

/** H(0x01 ‖ left ‖ right). RFC 6962 §2.1. Throws a RangeError for what is not two hashes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== hashBytes || right.length !== hashBytes)
    throw new RangeError('a node is made of two hashes');
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + hashBytes);
  return sha256(nodeInput);
}

/** A digest as text, turned into bytes here, comes four times as fast as one that Node makes a buffer of. */
function sha256(input: Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', input, 'binary'), 'binary');
}

/** The Merkle Tree Hash over consecutive hashes of one level, left to right. RFC 6962 §2.1. */
export function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const [first] = hashes;
  if (first === undefined) return emptyRoot;
  if (hashes.length === 1) return first;
  if (Number.isInteger(Math.log2(hashes.length))) return perfectRoot(hashes);
  const split = largestPowerOfTwoBelow(hashes.length);
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

/** Level by level, where every node has both children. */
function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
  let level = hashes;
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2)
      above.push(nodeHash(level[i] ?? emptyRoot, level[i + 1] ?? emptyRoot));
    level = above;
  }
  return level[0] ?? emptyRoot;
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
