import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entries } from '../testing/memory-log.ts';
import { Frontier } from './frontier.ts';
import { splitTile } from './tile.ts';
import { emptyRoot, largestPowerOfTwoBelow, leafHash, nodeHash, rootOf } from './hash.ts';
import { consistencyProof, inclusionProof, provesConsistency, provesInclusion } from './proof.ts';

/** The eight inputs and nine roots that Certificate Transparency implementations have long been tested with. */
const inputs = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'));
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** RFC 6962 §2.1, as it is written there. */
function plainRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return emptyRoot;
  if (leaves.length === 1) return leafHash(leaves[0]!);
  const k = largestPowerOfTwoBelow(leaves.length);
  return nodeHash(plainRoot(leaves.slice(0, k)), plainRoot(leaves.slice(k)));
}

function frontierOf(leaves: readonly Uint8Array[]): Frontier {
  const frontier = new Frontier();
  for (const leaf of leaves) frontier.append(leaf);
  return frontier;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the Merkle tree', () => {
  it.each(roots.map((root, size) => [size, root] as const))(
    'of %i known entries has the known root',
    (size, root) => {
      expect(hex(frontierOf(inputs.slice(0, size)).root())).toBe(root);
      expect(hex(rootOf(inputs.slice(0, size).map(leafHash)))).toBe(root);
    },
  );

  it('has the root of RFC 6962 at every size from 0 to 1000, grown entry by entry', () => {
    const all = entries(0, 1000);
    const frontier = new Frontier();
    for (let size = 0; size <= all.length; size++) {
      if (size % 37 === 0 || size % 256 < 3)
        expect(hex(frontier.root())).toBe(hex(plainRoot(all.slice(0, size))));
      if (size < all.length) frontier.append(all[size]!);
    }
    expect(frontier.size).toBe(1000);
  });

  it('grows across tile levels as RFC 6962 says', () => {
    const all = entries(0, 70_000);
    const frontier = frontierOf(all);
    expect(frontier.partials().map(({ tile }) => [tile.level, tile.index, tile.width])).toEqual([
      [0, 273, 112],
      [1, 1, 17],
      [2, 0, 1],
    ]);
    expect(hex(frontier.root())).toBe(hex(plainRoot(all)));
  });

  it('goes on from its partial tiles as if never interrupted', () => {
    const all = entries(0, 600);
    const frontier = frontierOf(all.slice(0, 300));
    const resumed = Frontier.at(
      300,
      frontier.partials().map(({ tile, bytes }) => splitTile(bytes, tile.width) ?? []),
    );
    for (const entry of all.slice(300)) resumed.append(entry);
    expect(hex(resumed.root())).toBe(hex(plainRoot(all)));
    expect(() => Frontier.at(301, [[]])).toThrow(RangeError);
  });

  it('grows a tile at a time as it does entry by entry, and fills the same tiles', () => {
    const all = entries(0, 70_000);
    const [one, other] = [new Frontier(), new Frontier()];
    for (let start = 0; start < all.length; start += 256) {
      const tile = all.slice(start, start + 256);
      const filled = tile.flatMap((entry) => one.append(entry));
      expect(other.appendTile(Buffer.concat(tile.map(leafHash)))).toEqual(filled);
    }
    expect(other.size).toBe(70_000);
    expect(other.partials()).toEqual(one.partials());
    expect(hex(other.root())).toBe(hex(one.root()));
  });

  it('takes no tile where there is one already, and none that is not made of hashes', () => {
    const frontier = new Frontier();
    for (const length of [31, 33, 257 * 32]) {
      expect(() => frontier.appendTile(Buffer.alloc(length))).toThrow(RangeError);
    }
    frontier.appendTile(Buffer.alloc(64));
    expect(() => frontier.appendTile(Buffer.alloc(32))).toThrow(RangeError);
    expect(frontier.size).toBe(2);
  });
});

describe('proofs', () => {
  const all = entries(0, 300);
  const subtree = async (start: number, end: number): Promise<Uint8Array> => plainRoot(all.slice(start, end));
  const rootAt = Array.from({ length: 301 }, (_, size) => plainRoot(all.slice(0, size)));
  const sizes = fc.integer({ min: 1, max: 300 });

  it('of inclusion lead from every entry to the root, and from no other index or entry', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, seed, other) => {
        const index = seed % size;
        const proof = await inclusionProof(index, size, subtree);
        const leaf = leafHash(all[index]!);
        expect(provesInclusion(index, size, leaf, proof, rootAt[size]!)).toBe(true);
        const wrong = other % size;
        if (wrong !== index) {
          expect(provesInclusion(wrong, size, leaf, proof, rootAt[size]!)).toBe(false);
          expect(provesInclusion(index, size, leafHash(all[wrong]!), proof, rootAt[size]!)).toBe(false);
        }
        expect(provesInclusion(index, size, leaf, [...proof, leaf], rootAt[size]!)).toBe(false);
        expect(provesInclusion(size, size, leaf, proof, rootAt[size]!)).toBe(false);
        if (proof.length > 0)
          expect(provesInclusion(index, size, leaf, proof.slice(1), rootAt[size]!)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('of consistency hold between every two sizes, and for no other older root', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (newSize, seed, other) => {
        const oldSize = seed % (newSize + 1);
        const proof = await consistencyProof(oldSize, newSize, subtree);
        const holds = (older: Uint8Array, given = proof): boolean =>
          provesConsistency(oldSize, older, newSize, rootAt[newSize]!, given);
        expect(holds(rootAt[oldSize]!)).toBe(true);
        if (oldSize === 0) return;
        const wrong = other % 301;
        if (wrong !== oldSize) expect(holds(rootAt[wrong]!)).toBe(false);
        expect(holds(rootAt[oldSize]!, [...proof, rootAt[3]!])).toBe(false);
        if (proof.length > 0) expect(holds(rootAt[oldSize]!, proof.slice(0, -1))).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('are refused for entries and sizes that there are not', async () => {
    await expect(inclusionProof(5, 5, subtree)).rejects.toThrow(RangeError);
    await expect(inclusionProof(-1, 5, subtree)).rejects.toThrow(RangeError);
    await expect(consistencyProof(6, 5, subtree)).rejects.toThrow(RangeError);
    expect(provesConsistency(6, rootAt[6]!, 5, rootAt[5]!, [])).toBe(false);
  });
});
