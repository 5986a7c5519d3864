import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { processorMilliseconds } from '../../lib/testing/processor-time.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { DecisionId, EventId, LeaseId, RequestId, SessionId } from '../../lib/ids.ts';
import type { ActorRef, Attribution } from '../../store/changes.ts';
import type { Fact } from '../events.ts';
import { attribution, decidedFact, tenantId } from '../testing/ledger-fixture.ts';
import { ocsfProblems } from '../testing/ocsf/ocsf-problems.ts';
import { sampleChanges, sampleRequestFacts, sampleVariants } from '../testing/sample-facts.ts';
import { leafOf, toldOf } from '../testing/told.ts';
import { isPlain } from './clean.ts';
import { entryOf } from './entry.ts';
import { describeFact, eventOf } from './event.ts';
import { inOcsf19 } from './ocsf-1-9.ts';
import { personalIn } from './personal.ts';
import { seal } from './seal.ts';

const context = {
  id: 'evt_1' as EventId,
  time: 1_770_000_000_000,
  origin: 'log.test',
  productVersion: '1',
  position: null,
};
const everyFact: Fact[] = [
  ...sampleRequestFacts,
  ...[...Object.values(sampleChanges), ...sampleVariants].map((change): Fact => ({
    kind: 'change',
    attribution: attribution(),
    change,
  })),
];

interface Read {
  [name: string]: Read;
}

function read(fact: Fact): Read {
  return JSON.parse(Buffer.from(toldOf(entryOf(fact, context)).told).toString('utf8')) as Read;
}

const signIn = sampleRequestFacts.find((fact) => fact.kind === 'authentication')!;

describe('an event', () => {
  it.each(everyFact.map((fact) => [fact.kind === 'change' ? fact.change.kind : fact.kind, fact] as const))(
    '%s is valid OCSF 1.8.0, with no attribute that the schema does not know, with its personal values and without',
    (_, fact) => {
      expect(ocsfProblems(read(fact), '1.8.0')).toEqual([]);
      expect(ocsfProblems(leafOf(entryOf(fact, context).bytes), '1.8.0')).toEqual([]);
    },
  );

  it.each(Object.values(sampleChanges).map((change) => [change.kind, change] as const))(
    '%s holds the change whole, so that the feed can be replayed',
    (_, change) => {
      expect(read({ kind: 'change', attribution: attribution(), change })['unmapped']).toMatchObject({
        lockstep: { change },
      });
    },
  );

  it('is valid in both versions whoever acts, on whatever account, from wherever', () => {
    const id = fc.constantFrom('22222222-2222-4222-8222-222222222222', 'https://ci.example.test#run/1', '');
    const text = fc.constantFrom('Ada', '', '__proto__', '"}', '\ud800', '\u202e', 'x'.repeat(5_000));
    const kind = fc.constantFrom<ActorRef['kind']>(
      ...([
        'user',
        'group',
        'application',
        'managed-identity',
        'job',
        'ci-run',
        'system',
        'anonymous',
      ] as const),
    );
    const orNull = <T>(given: fc.Arbitrary<T>) => fc.option(given, { nil: null });
    const by = fc.record<Partial<Attribution>>({
      chain: fc.array(fc.record({ kind, id, name: text }), { maxLength: 4 }),
      requestId: orNull(fc.constant('req_1' as RequestId)),
      correlationId: orNull(fc.constant('0a0a0a0a-1111-4222-8333-444444444444')),
      sourceAddress: orNull(
        fc.constantFrom('127.0.0.1', '::1', '::ffff:10.0.0.1', '2001:db8::1', 'fe80::1%eth0', '', 'unknown'),
      ),
      sessionId: orNull(fc.constant('ses_1' as SessionId)),
      leaseId: orNull(fc.constant('lea_1' as LeaseId)),
      tokenId: orNull(fc.constant('uti-1')),
      decisionId: orNull(fc.constant('dec_1' as DecisionId)),
      policyId: orNull(fc.constant('roleAssignment:1')),
      snapshotVersion: orNull(fc.nat()),
    });
    fc.assert(
      fc.property(fc.constantFrom(...everyFact), by, (fact, more) => {
        const entry = entryOf({ ...fact, attribution: attribution(more) }, context);
        const { bytes } = entry;
        const { told, event, withheld } = toldOf(entry);
        expect(withheld).toEqual([]);
        expect(ocsfProblems(leafOf(bytes), '1.8.0')).toEqual([]);
        expect(ocsfProblems(event, '1.8.0')).toEqual([]);
        expect(ocsfProblems(inOcsf19(bytes), '1.9.0')).toEqual([]);
        expect(ocsfProblems(inOcsf19(bytes, told), '1.9.0')).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is made in the order in which it is printed, all of it in one shape, so that nothing is copied to print it', () => {
    const shapes = new Set<string>();
    for (const fact of everyFact) {
      const event = eventOf(fact, describeFact(fact), context);
      expect(isPlain(event), JSON.stringify(event)).toBe(true);
      seal(event, context.id, personalIn(fact));
      expect(isPlain(event), JSON.stringify(event)).toBe(true);
      for (const members of [event, event.metadata, event.unmapped.lockstep].map(Object.keys)) {
        expect(members).toEqual(members.toSorted());
        shapes.add(members.join());
      }
    }
    expect(shapes.size).toBe(3);
  });

  it('is canonical JSON', () => {
    for (const fact of everyFact) {
      const entry = entryOf(fact, context);
      for (const bytes of [entry.bytes, toldOf(entry).told]) {
        const text = Buffer.from(bytes).toString('utf8');
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }
    }
  });

  it('names a person by tenant and object id, and a job by its owner with the job as the one that acts', () => {
    expect(read(decidedFact())['actor']?.['user']).toMatchObject({
      uid: '22222222-2222-4222-8222-222222222222',
      org: { uid: tenantId },
      type_id: 1,
    });
    const lease = sampleChanges['lease.started'].lease;
    const entry = entryOf(decidedFact({ attribution: attribution({ chain: lease.chain }) }), context);
    expect(entry).toMatchObject({ jobId: lease.jobId, principalId: lease.ownerId, decisionId: 'dec_test' });
    const event = toldOf(entry).event as unknown as Read;
    expect(event['actor']).toMatchObject({ user: { uid: lease.ownerId }, app_uid: lease.jobId });
    expect(event['unmapped']?.['lockstep']?.['chain']).toEqual(lease.chain);
  });

  it('says what was decided, by which policy, at which snapshot', () => {
    const event = read(decidedFact({ allowed: false, reason: 'missing-grant' }));
    expect(event).toMatchObject({
      action_id: 2,
      disposition_id: 2,
      status_id: 2,
      actor: { authorizations: [{ decision: 'deny', policy: { version: '7' } }] },
      unmapped: {
        lockstep: {
          reason: 'missing-grant',
          decisionId: 'dec_test',
          requestId: 'req_test',
          tokenId: 'uti-1',
        },
      },
    });
  });

  it('tells a call on a blob as Datastore Activity and any other as API Activity', () => {
    const [call, , , blob] = sampleRequestFacts;
    expect(read(call!)['class_uid']).toBe(6003);
    expect(read(blob!)).toMatchObject({ class_uid: 6005, databucket: { name: 'c', type_id: 2 } });
  });

  it('keeps the shape that its kind has, whatever text a caller sends', () => {
    const shapeOf = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(shapeOf)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shapeOf(member)]))
          : typeof value;
    const shape = shapeOf(read(decidedFact()));
    const hostile = fc.oneof(
      fc.string({ maxLength: 100 }),
      fc.constantFrom(
        '","allowed":true,"x":"',
        '\u0000\n\r\u2028',
        '{"$ref":1}',
        '\\u0022',
        '__proto__',
        '\ud800',
      ),
    );
    fc.assert(
      fc.property(hostile, hostile, hostile, (path, userAgent, name) => {
        const chain = [{ kind: 'user', id: 'x', name } as const];
        expect(shapeOf(read(decidedFact({ path, userAgent, attribution: attribution({ chain }) })))).toEqual(
          shape,
        );
      }),
      { numRuns: 200 },
    );
  });

  it('takes the names in a detail map as data, even __proto__', () => {
    const detail = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const fact: Fact = {
      kind: 'lifecycle',
      attribution: attribution(),
      activity: 'stop',
      version: '1',
      detail,
    };
    const text = Buffer.from(entryOf(fact, context).bytes).toString('utf8');
    expect(text).toContain('"detail":{"__proto__":"x","constructor":"y"}');
  });

  it.each([
    ['a JSON Web Token', 'before eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl after', 'c2lnbmF0dXJl'],
    ['a signed URL', 'https://a.test/c/b?sv=2024&sig=c2VjcmV0c2ln%3D&se=1', 'c2VjcmV0c2ln'],
    ['a signing key', 'PRIVATE+KEY+log.test/x+0a0b0c0d+AWJhcmVzZWNyZXQ=', 'AWJhcmVzZWNyZXQ'],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMIIEsecret', 'MIIEsecret'],
  ])('never holds %s, wherever a caller puts it', (_, text, secret) => {
    const facts = [
      decidedFact({ path: text, userAgent: text, scope: text, operation: text, surface: text }),
      decidedFact({ attribution: attribution({ chain: [{ kind: 'user', id: text, name: text }] }) }),
      { ...sampleRequestFacts.at(-1)!, detail: { note: text } },
      {
        ...signIn,
        principalName: text,
        method: text,
        audience: text,
        detail: { note: text },
      },
    ];
    for (const fact of facts) {
      const entry = entryOf(fact, context);
      expect(Buffer.from(entry.bytes).toString('utf8')).not.toContain(secret);
      expect(JSON.stringify(entry.secrets.map(({ value }) => value))).not.toContain(secret);
    }
  });

  it('never holds a member that is named as a secret', () => {
    const fact: Fact = {
      ...signIn,
      detail: { client_secret: 'hunter2', Password: 'hunter2', assertion: 'hunter2' },
    };
    const entry = entryOf(fact, context);
    expect(Buffer.from(toldOf(entry).told).toString('utf8')).not.toContain('hunter2');
    expect(JSON.stringify(entry.secrets.map(({ value }) => value))).not.toContain('hunter2');
  });

  it('looks for credentials in time linear in the text', () => {
    const taken = processorMilliseconds(() => {
      entryOf(decidedFact({ userAgent: 'eyJ'.repeat(20_000), path: 'sig=eyJ.'.repeat(5_000) }), context);
    });
    expect(taken).toBeLessThan(500);
  });

  it('cuts text that is too long for an entry, says so, and keeps the rest', () => {
    const entry = entryOf(
      decidedFact({ userAgent: '🐧'.repeat(60_000), path: `/${'a'.repeat(60_000)}` }),
      context,
    );
    expect(entry.bytes.length).toBeLessThanOrEqual(65_535);
    const event = toldOf(entry).event as unknown as Read;
    expect(event['metadata']).toMatchObject({ is_truncated: true });
    expect(Number(event['metadata']?.['untruncated_size'])).toBeGreaterThan(65_535);
    expect(event['http_request']?.['user_agent']).toMatch(/… \[truncated: 120000 characters\]$/);
    expect(event['unmapped']?.['lockstep']?.['policyId']).toBe(attribution().policyId);
  });

  it('refuses a change that no entry can hold whole', () => {
    const { definition } = sampleChanges['role-definition.put'];
    const change = {
      ...sampleChanges['role-definition.put'],
      definition: { ...definition, description: 'x'.repeat(70_000) },
    };
    expect(() => entryOf({ kind: 'change', attribution: attribution(), change }, context)).toThrow(
      expect.objectContaining({ code: 'too_large' }) as Error,
    );
  });
});
