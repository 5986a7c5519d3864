/** What is mutated: whatever has a say in who may do what. */
export const mutated = [
  'src/policy/{decide,snapshot,permission-set,action-pattern,scope}.ts',
  'src/policy/engine/!(*.test).ts',
  'src/policy/conditions/{compile,evaluate,operators,like,values}.ts',
];

/**
 * Where a deny assignment comes to win over a grant, by file and function: here not one mutant may survive. A name
 * that is no longer found fails the run, so that nothing slips out of the list when code moves.
 */
export const denyPrecedence: Readonly<Record<string, readonly string[]>> = {
  'src/policy/decide.ts': ['verdictOf'],
  'src/policy/engine/assignments.ts': ['excludes', 'putDenial', 'deleteDenial'],
  'src/policy/engine/engine.ts': ['#searchTable', '#searchOwn', '#applies', '#passes'],
  'src/policy/engine/mask-tier.ts': ['#unlessDenied'],
  'src/policy/engine/reach.ts': ['reachOf', 'allConvey', 'everyIdentityOf'],
  'src/policy/engine/rights-compile.ts': ['#precedes'],
};
