import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type JsonObject } from '../../lib/canonical-json.ts';
import type { EventId } from '../../lib/ids.ts';
import type { Change } from '../../store/changes.ts';
import type { Fact } from '../events.ts';
import { attribution } from '../testing/ledger-fixture.ts';
import { ocsfProblems } from '../testing/ocsf/ocsf-problems.ts';
import { sampleChanges, sampleRequestFacts, sampleVariants } from '../testing/sample-facts.ts';
import { toldOf } from '../testing/told.ts';
import { leafHash } from '../tlog/hash.ts';
import { entryOf } from './entry.ts';
import { inOcsf19 } from './ocsf-1-9.ts';

const context = {
  id: 'evt_1' as EventId,
  time: 1_770_000_000_000,
  origin: 'log.test',
  productVersion: '1',
  position: null,
};
const factOf = (change: Change): Fact => ({ kind: 'change', attribution: attribution(), change });
const facts: Fact[] = [
  ...sampleRequestFacts,
  ...[...Object.values(sampleChanges), ...sampleVariants].map(factOf),
];
const rendered = (fact: Fact) => {
  const entry = entryOf(fact, context);
  return inOcsf19(entry.bytes, toldOf(entry).told);
};
const told = (change: Change) => {
  const { class_uid, activity_name } = rendered(factOf(change));
  return `${Number(class_uid)} ${typeof activity_name === 'string' ? activity_name : ''}`;
};

describe('an entry told in OCSF 1.9', () => {
  it.each(facts.map((fact) => [fact.kind === 'change' ? fact.change.kind : fact.kind, fact] as const))(
    '%s is valid, with no attribute that is unknown or deprecated',
    (_, fact) => {
      expect(ocsfProblems(rendered(fact), '1.9.0')).toEqual([]);
      expect(ocsfProblems(inOcsf19(entryOf(fact, context).bytes), '1.9.0')).toEqual([]);
    },
  );

  it('tells people and roles in the classes that are new', () => {
    expect(told(sampleChanges['principal.created'])).toBe('3007 Create');
    expect(told(sampleChanges['principal.updated'])).toBe('3007 Disable');
    expect(told(sampleChanges['principal.deleted'])).toBe('3007 Delete');
    expect(told(sampleChanges['credential.added'])).toBe('3007 Add Programmatic Credentials');
    expect(told(sampleChanges['credential.removed'])).toBe('3007 Remove Programmatic Credentials');
    expect(told(sampleChanges['role-assignment.put'])).toBe('3007 Assign Roles');
    expect(told(sampleChanges['role-assignment.deleted'])).toBe('3006 Remove Roles');
    expect(told(sampleChanges['role-definition.put'])).toBe('3008 Update');
    expect(told(sampleChanges['role-definition.deleted'])).toBe('3008 Delete');
    expect(told(sampleChanges['resource.put'])).toBe('3004 Create');
  });

  it('keeps every fact of our own, byte for byte, and says what the entry hashes to in the log', () => {
    for (const fact of facts) {
      const { bytes } = entryOf(fact, context);
      const before = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
        unmapped: { lockstep: JsonObject };
      };
      const { lockstep } = (inOcsf19(bytes) as typeof before).unmapped;
      const { leafHash: told, ...own } = lockstep;
      expect(canonicalJson(own)).toBe(canonicalJson(before.unmapped.lockstep));
      expect(told).toBe(Buffer.from(leafHash(bytes)).toString('hex'));
    }
  });

  it('carries a fingerprint that whoever follows OCSF computes, and that no alteration survives', () => {
    const event = rendered(sampleRequestFacts[0]!);
    const fingerprintOf = (of: JsonObject) => {
      const [{ fingerprint: _, ...attestation }] = of['attestation_list'] as unknown as [JsonObject];
      return createHash('sha256')
        .update(canonicalJson({ ...of, attestation_list: [attestation] }))
        .digest('hex');
    };
    const [{ fingerprint }] = event['attestation_list'] as unknown as [{ fingerprint: { value: string } }];
    expect(fingerprintOf(event)).toBe(fingerprint.value);
    expect(fingerprintOf({ ...event, severity_id: 5 })).not.toBe(fingerprint.value);
  });

  it('takes a member named __proto__ for data', () => {
    const detail = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const lifecycle = sampleRequestFacts.find((fact) => fact.kind === 'lifecycle')!;
    expect(canonicalJson(rendered({ ...lifecycle, detail }))).toContain('"detail":{"__proto__":"x"}');
  });

  it('refuses what is no entry', () => {
    for (const text of ['', '[]', 'null', '{}', '{"class_uid":"3001"}'])
      expect(() => inOcsf19(Buffer.from(text))).toThrow();
  });
});
