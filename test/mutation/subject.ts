/** What is mutated: whatever has a say in who may do what. */
export const mutated = [
  'src/policy/{decide,snapshot,permission-set,action-pattern,scope}.ts',
  'src/policy/engine/!(*.test).ts',
  'src/policy/conditions/{action-matches,compile,evaluate,operators,like,values}.ts',
];

/**
 * Where a deny assignment comes to win over a grant, by file and function: here not one mutant may survive. A name
 * that is no longer found fails the run, so that nothing slips out of the list when code moves.
 */
export const denyPrecedence: Readonly<Record<string, readonly string[]>> = {
  'src/policy/decide.ts': ['verdictOf'],
  'src/policy/engine/assignments.ts': ['excludes', 'putDenial', 'deleteDenial'],
  'src/policy/engine/rights-tier.ts': ['#searchTable', '#searchOwn', '#better', '#applies', '#passes'],
  'src/policy/engine/mask-tier.ts': ['#unlessDenied'],
  'src/policy/engine/denials-beneath.ts': ['#lookThrough', '#stepsDown', '#contextOf'],
  'src/policy/engine/reach.ts': ['find', '#onlyEnabled', '#climb'],
};

/** A mutant that nobody can tell from the original by its answers, though it lies in deny precedence. */
export interface Equivalent {
  readonly within: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

const saves = 'it only saves a search that would find nothing';
const root = 'the root, which is 0, has neither anchor nor crown';

/** They count as survivors in the score, but do not fail the run. An entry that no longer fits fails it. */
export const equivalents: readonly Equivalent[] = [
  ...['near', 'far', 'top'].map((block) => ({
    within: '#searchTable',
    original: `memory[table + ${block} + 1] !== 0`,
    replacement: 'true',
    reason: saves,
  })),
  { within: '#searchTable', original: 'anchor < 0', replacement: 'false', reason: saves },
  { within: '#searchTable', original: 'anchor < 0', replacement: 'anchor <= 0', reason: root },
  { within: '#searchTable', original: 'crown < 0', replacement: 'false', reason: saves },
  { within: '#searchTable', original: 'crown < 0', replacement: 'crown <= 0', reason: root },
  { within: '#better', original: '!own.mayHave(table, hash)', replacement: 'false', reason: saves },
  { within: '#passes', original: "'error'", replacement: '""', reason: 'it is neither true nor false' },
  {
    within: '#climb',
    original: 'reach === null',
    replacement: 'true',
    reason: 'what is remembered of a group only saves going through it again',
  },
  {
    within: '#unlessDenied',
    original: '((memory[denial] ?? 0) & this.#denied.filter(action)) === 0',
    replacement: 'false',
    reason: saves,
  },
];
