import { describe, expect, test } from 'vitest';
import { sampleChanges } from '../ledger/testing/sample-facts.ts';
import type { Change } from './changes.ts';
import { parseRecordedChange, withheld } from './recorded-change.ts';

const samples: readonly Change[] = Object.values(sampleChanges);
const carriesPolicy = /^(principal|group|role-definition|role-assignment|deny-assignment|scope|resource)\./;

describe('a change that is read back', () => {
  test.each(samples.map((change) => [change.kind, change] as const))('%s is what it was', (kind, change) => {
    const { change: read, whole } = parseRecordedChange(JSON.parse(JSON.stringify(change)));
    expect(read).toEqual(carriesPolicy.test(kind) ? change : null);
    expect(whole).toBe(true);
  });

  test.each([
    null,
    {},
    { kind: 'constructor' },
    { kind: 'role-assignment.granted' },
    { kind: 'scope.removed' },
    { ...sampleChanges['role-assignment.put'], notBefore: 'tomorrow' },
    { kind: 'scope.placed', placement: { scope: '/a', parent: null, displayName: '', until: 'tomorrow' } },
  ])('is refused when it says what this version does not know: %j', (value) => {
    expect(() => parseRecordedChange(value)).toThrow();
  });

  test('says when what decisions rest on was withheld, and not when it was only a name', () => {
    const put = sampleChanges['role-assignment.put'];
    const withCondition = { ...put.assignment, condition: `@Request[a] StringEquals '${withheld}'` };
    expect(parseRecordedChange({ ...put, assignment: withCondition }).whole).toBe(false);
    const described = { ...put.assignment, description: withheld };
    expect(parseRecordedChange({ ...put, assignment: described }).whole).toBe(true);
    const tags = { token: withheld };
    const resource = { kind: 'resource.put', id: '/a', type: 't', created: true, tags };
    expect(parseRecordedChange(resource).whole).toBe(false);
  });
});
