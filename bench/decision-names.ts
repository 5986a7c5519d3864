import type { PrincipalId } from '../src/lib/ids.ts';

/** mulberry32: small, fast, the same everywhere; numbers from 0 to below 1. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const bytes = Buffer.alloc(4_096);

/**
 * A copy in one flat piece that was never looked up: what a parsed request hands over, or a row of a database. A
 * string put together by a template is a rope, which whoever hashes it first would have to pay for.
 */
export function fresh(text: string): string {
  return bytes.toString('latin1', 0, bytes.write(text, 'latin1'));
}

/** GUIDs that do not sort in order of creation; `kind` is one digit. */
export function guid(kind: string, i: number): string {
  const scattered = (Math.imul(i + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
  return fresh(`${scattered}-${kind.repeat(4)}-4000-8000-${i.toString(16).padStart(12, '0')}`);
}

export function principalIds(kind: string, count: number): PrincipalId[] {
  return Array.from({ length: count }, (_, i) => guid(kind, i) as PrincipalId);
}

const verbs = ['read', 'write', 'delete', 'listKeys/action', 'start/action'];

/** Ten namespaces, eight kinds in each, as many parts as it takes, five verbs. */
export function concreteActions(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const type = Math.floor(i / verbs.length);
    const path = `Contoso.Namespace${type % 10}/kind${Math.floor(type / 10) % 8}/part${Math.floor(type / 80)}`;
    return fresh(`${path}/${verbs[i % verbs.length]}`);
  });
}

/** Azure-shaped paths, level by level: the root, subscriptions, resource groups, workspaces, data, versions. */
export function scopeTree(counts: readonly number[]): string[][] {
  const names: readonly ((parent: string, i: number) => string)[] = [
    (_, i) => `/subscriptions/${guid('6', i)}`,
    (parent, i) => `${parent}/resourcegroups/team-${i}`,
    (parent, i) => `${parent}/providers/microsoft.machinelearningservices/workspaces/ws-${i}`,
    (parent, i) => `${parent}/data/dataset-${i}`,
    (parent, i) => `${parent}/versions/${i}`,
  ];
  const levels: string[][] = [['/']];
  for (const [depth, count] of counts.entries()) {
    const above = levels[depth]!;
    const name = names[depth]!;
    levels.push(Array.from({ length: count }, (_, i) => fresh(name(above[i % above.length]!, i))));
  }
  return levels;
}
