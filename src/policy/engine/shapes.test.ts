import { expect, test } from 'vitest';
import { Scopes } from './scopes.ts';

const group = '/subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/vision';
const workspaces = `${group}/providers/microsoft.machinelearningservices/workspaces`;

// Shapes of the tree are numbered from 1 to 255 and round again: a chain of one shape is none of another of its number.
test('a chain that was made many shapes ago is not taken for one of now', () => {
  for (const more of [0, 1, 250, 251, 252, 253, 254, 255, 256, 257, 506, 507, 508, 509, 510]) {
    const scopes = new Scopes();
    const below = scopes.pin(`${workspaces}/lab/jobs/train`);
    scopes.assign(group);
    const before = scopes.chain(below);
    const chainOf = (at: number) => Array.from(scopes.chains.subarray(at, at + 4));
    const old = chainOf(before);
    const between = scopes.assign(`${workspaces}/lab`);
    for (let i = 0; i < more; i++) scopes.assign(`${group}/other${i}`);
    const now = chainOf(scopes.chain(below));
    expect(now).not.toEqual(old);
    expect(now[1]).toBe(between + 1);
    expect(scopes.aboveKey(below)).toBe(-1);
  }
});
