import { largestPowerOfTwoBelow, nodeHash, sameBytes } from './hash.ts';

/** The Merkle Tree Hash of the entries `start` ≤ i < `end`; `end − start` is a power of two that divides `start`. */
export type SubtreeHash = (start: number, end: number) => Promise<Uint8Array>;

/** The audit path of entry `index` in the tree of `size` entries, leaf's sibling first. RFC 6962 §2.1.1. */
export async function inclusionProof(
  index: number,
  size: number,
  subtree: SubtreeHash,
): Promise<Uint8Array[]> {
  if (!(index >= 0 && index < size)) throw new RangeError(`no entry ${index} in a log of ${size}`);
  const siblings: [number, number][] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const split = start + largestPowerOfTwoBelow(end - start);
    if (index < split) {
      siblings.push([split, end]);
      end = split;
    } else {
      siblings.push([start, split]);
      start = split;
    }
  }
  return Promise.all(siblings.reverse().map(([from, to]) => rangeHash(from, to, subtree)));
}

/** The proof that the first `oldSize` of `newSize` entries are a prefix. Empty when either is trivial. RFC 6962 §2.1.2. */
export async function consistencyProof(
  oldSize: number,
  newSize: number,
  subtree: SubtreeHash,
): Promise<Uint8Array[]> {
  if (!(oldSize >= 0 && oldSize <= newSize)) throw new RangeError(`${oldSize} is no prefix of ${newSize}`);
  if (oldSize === 0 || oldSize === newSize) return [];
  const nodes: [number, number][] = [];
  let start = 0;
  let end = newSize;
  while (end !== oldSize) {
    const split = start + largestPowerOfTwoBelow(end - start);
    if (oldSize <= split) {
      nodes.push([split, end]);
      end = split;
    } else {
      nodes.push([start, split]);
      start = split;
    }
  }
  if (start > 0) nodes.push([start, end]);
  return Promise.all(nodes.reverse().map(([from, to]) => rangeHash(from, to, subtree)));
}

/** The Merkle Tree Hash of any range that begins on a boundary of its own tree. */
export async function rangeHash(start: number, end: number, subtree: SubtreeHash): Promise<Uint8Array> {
  const width = end - start;
  const split = width === 1 ? 1 : largestPowerOfTwoBelow(width);
  if (width === 1 || split * 2 === width) return subtree(start, end);
  const left = await subtree(start, start + split);
  return nodeHash(left, await rangeHash(start + split, end, subtree));
}

/** Whether `proof` leads from the leaf's hash to the root. RFC 9162 §2.1.3.2. */
export function provesInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!(index >= 0 && index < size)) return false;
  let position = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      hash = nodeHash(sibling, hash);
      while (position % 2 === 0 && position !== 0) {
        position = Math.floor(position / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameBytes(hash, root);
}

/** Whether `proof` shows that the tree of `oldSize` under `oldRoot` is a prefix of the new one. RFC 9162 §2.1.4.2. */
export function provesConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  newSize: number,
  newRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!(oldSize >= 0 && oldSize <= newSize)) return false;
  if (oldSize === newSize) return proof.length === 0 && sameBytes(oldRoot, newRoot);
  if (oldSize === 0) return proof.length === 0;
  let position = oldSize - 1;
  let last = newSize - 1;
  while (position % 2 === 1) {
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  const path = position === 0 ? [oldRoot, ...proof] : [...proof];
  const [seed, ...rest] = path;
  if (seed === undefined) return false;
  let oldHash = seed;
  let newHash = seed;
  for (const node of rest) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      oldHash = nodeHash(node, oldHash);
      newHash = nodeHash(node, newHash);
      while (position % 2 === 0 && position !== 0) {
        position = Math.floor(position / 2);
        last = Math.floor(last / 2);
      }
    } else {
      newHash = nodeHash(newHash, node);
    }
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameBytes(oldHash, oldRoot) && sameBytes(newHash, newRoot);
}
