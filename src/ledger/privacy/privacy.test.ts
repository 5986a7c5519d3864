import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecisionId, EventId, PrincipalId } from '../../lib/ids.ts';
import { systemAttribution, type ActorRef } from '../../store/changes.ts';
import { parseRecordedChange } from '../../store/recorded-change.ts';
import type { Store } from '../../store/sqlite.ts';
import { inOcsf19 } from '../catalogue/ocsf-1-9.ts';
import { changeFeed } from '../change-feed.ts';
import type { RequestFact } from '../events.ts';
import type { Ledger } from '../ledger.ts';
import { parseEntry } from '../recorded-entry.ts';
import { factsIn } from '../search/event-facts.ts';
import type { EventFilter } from '../search/event-filter.ts';
import { directorySource } from '../sources/directory-source.ts';
import { attribution, decidedFact, LedgerFixture, tenantId } from '../testing/ledger-fixture.ts';
import { ocsfProblems } from '../testing/ocsf/ocsf-problems.ts';
import { sampleChanges, sampleRequestFacts } from '../testing/sample-facts.ts';
import { leafOf } from '../testing/told.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { commitmentHash, commitmentsOf } from '../verify/commitment.ts';
import { uidOf } from '../verify/disclose.ts';
import { tileWidth } from '../tlog/tile.ts';

let fixture: LedgerFixture;
let ledger: Ledger;
let store: Store;
beforeEach(async () => {
  fixture = new LedgerFixture();
  ({ ledger, store } = await fixture.open());
});
afterEach(async () => {
  await end();
  fixture.remove();
});

async function end(): Promise<void> {
  await ledger.close();
  await store.close();
}

async function reopen(): Promise<void> {
  await end();
  ({ ledger, store } = await fixture.open());
}

const by = systemAttribution(tenantId, 'tests');
const ids = {
  ada: '0aada000-0000-4000-8000-000000000001',
  bob: '0b0b0000-0000-4000-8000-000000000002',
};
const ada: ActorRef = { kind: 'user', id: ids.ada, name: 'Ada Lovelace-Byron' };
const bob: ActorRef = { kind: 'user', id: ids.bob, name: 'Bob Babbage-Jacquard' };
const job: ActorRef = { kind: 'job', id: '0c0c0000-0000-4000-8000-000000000003', name: 'train-penguins' };

function decided(chain: readonly ActorRef[], more: Parameters<typeof decidedFact>[0] = {}): RequestFact {
  return decidedFact({
    userAgent: 'azsdk-python/1.2 (Ada-laptop)',
    ...more,
    attribution: attribution({ chain, sourceAddress: '203.0.113.77', ...more.attribution }),
  });
}

const told = async (id: EventId) =>
  Buffer.from((await ledger.eventById(id))?.told ?? new Uint8Array()).toString('utf8');
const leaf = async (id: EventId) =>
  Buffer.from((await ledger.eventById(id))?.entry ?? new Uint8Array()).toString('utf8');
const eraseAda = (addresses: readonly string[] = []) => ledger.erase(by, { id: ids.ada, addresses });

/** Everything that lies in the home, journals of the database included. */
function everyFile(): { name: string; bytes: Buffer }[] {
  return readdirSync(fixture.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ name, bytes: readFileSync(name) }));
}

const filesWith = (what: string | Buffer) =>
  everyFile()
    .filter(({ bytes }) => bytes.includes(what))
    .map(({ name }) => name);

describe('personal values', () => {
  it('stand in the log as commitments, and whoever may read events is told them', async () => {
    const id = await ledger.record(decided([ada, job]));
    expect(await leaf(id)).not.toMatch(/Lovelace|train-penguins|203\.0\.113|azsdk/);
    expect(await leaf(id)).toContain(ids.ada);
    const event = (await ledger.eventById(id))?.event;
    expect(event).toMatchObject({
      actor: { user: { uid: ids.ada, name: ada.name }, app_uid: job.id, app_name: job.name },
      src_endpoint: { ip: '203.0.113.77', name: 'peer' },
      http_request: { user_agent: 'azsdk-python/1.2 (Ada-laptop)' },
      unmapped: { lockstep: { chain: [ada, job], sourceAddress: '203.0.113.77' } },
    });
    expect(JSON.stringify(event)).not.toContain('"sealed"');
    const { events } = await ledger.search({ person: ids.ada }, { limit: 1 });
    expect(Buffer.from(events[0]?.told ?? []).toString()).toBe(await told(id));
    await ledger.integrate();
    await end();
    ({ ledger, store } = await fixture.open());
    expect((await ledger.eventById(id))?.event).toEqual(event);
    expect(filesWith(ada.name)).toEqual([]);
    expect(filesWith('203.0.113.77')).toEqual([]);
  });

  it('that are text of others which looks like a commitment are text', async () => {
    const fake = '{"sealed":[{"at":["/unmapped/lockstep/allowed"],"hash":"x"}]}';
    const hostile = { ...ada, name: `"sealed":[{"at":["/time"]}]` };
    const id = await ledger.record(decided([hostile], { userAgent: fake, path: `/${fake}` }));
    const event = await ledger.eventById(id);
    expect(event?.withheld).toEqual([]);
    expect(event?.event).toMatchObject({
      http_request: { user_agent: fake, url: { path: `/${fake}` } },
      unmapped: { lockstep: { chain: [hostile], allowed: true } },
    });
    expect(commitmentsOf(leafOf(event?.entry ?? new Uint8Array()))?.flatMap(({ at }) => at)).toEqual([
      '/unmapped/lockstep/chain/0/name',
      '/actor/user/name',
      '/unmapped/lockstep/sourceAddress',
      '/src_endpoint/ip',
      '/http_request/user_agent',
      '/http_request/url',
    ]);
  });

  it('which the entry does not bind are not shown, whatever the database holds beside it', async () => {
    const [one, other] = [await ledger.record(decided([ada])), await ledger.record(decided([bob]))];
    store.raw
      .prepare(
        `update ledger_events set sealed = (select sealed from ledger_events where event_id = ?) where event_id = ?`,
      )
      .run(other, one);
    expect(await told(one)).not.toMatch(/Babbage|Lovelace/);
    expect((await ledger.eventById(one))?.withheld).toHaveLength(3);
    store.raw.prepare(`update ledger_events set sealed = x'0102' where event_id = ?`).run(other);
    expect(await told(other)).not.toContain('Babbage');
  });
});

describe('a box that was altered', () => {
  it('makes its event say less, and never anything else', async () => {
    const id = await ledger.record(decided([ada, job]));
    const whole = (await ledger.eventById(id))?.event;
    const row = store.raw.prepare('select sealed from ledger_events where event_id = ?').get(id);
    const sealed = Buffer.from(row?.['sealed'] as Uint8Array);
    const put = store.raw.prepare('update ledger_events set sealed = ? where event_id = ?');
    const said = new Set<string>();
    for (let at = 0; at < sealed.length; at++) {
      const altered = Buffer.from(sealed);
      altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
      put.run(altered, id);
      const text = await told(id);
      for (const name of [ada.name, job.name, '203.0.113.77', 'azsdk-python/1.2 (Ada-laptop)']) {
        if (text.includes(JSON.stringify(name))) said.add(name);
      }
      const { event, withheld } = (await ledger.eventById(id)) ?? expect.fail();
      if (withheld.length === 0) expect(event).toEqual(whole);
    }
    // Where one subject's box was altered, the other's was not.
    expect(said.size).toBe(4);
    put.run(sealed, id);
    expect((await ledger.eventById(id))?.event).toEqual(whole);
  });

  it('is not believed even by whoever knows what it says, and could write another name', async () => {
    const id = await ledger.record(decided([ada]));
    const row = store.raw.prepare('select sealed from ledger_events where event_id = ?').get(id);
    const sealed = Buffer.from(row?.['sealed'] as Uint8Array);
    const mallory = 'Mallory Lovelace-X';
    const attempts: string[] = [];
    for (let at = 0; at + ada.name.length <= sealed.length; at++) {
      const altered = Buffer.from(sealed);
      for (let i = 0; i < ada.name.length; i++) {
        const mask = ada.name.charCodeAt(i) ^ mallory.charCodeAt(i);
        altered.writeUInt8(altered.readUInt8(at + i) ^ mask, at + i);
      }
      store.raw.prepare('update ledger_events set sealed = ? where event_id = ?').run(altered, id);
      attempts.push(await told(id));
    }
    expect(attempts.length).toBeGreaterThan(100);
    expect(attempts.filter((text) => text.includes('Mallory'))).toEqual([]);
  });
});

describe('an erasure', () => {
  it('destroys what was known of one person, and nothing else; the log verifies as before', async () => {
    const both = await ledger.record(decided([ada, job]));
    const others = await ledger.record(decided([bob]));
    await ledger.integrate();
    const before = await verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
    const receipt = await ledger.receipt(both);
    const leafBefore = await leaf(both);

    expect(await eraseAda()).toEqual({ keys: 1, complete: true });
    expect(await told(both)).not.toMatch(/Lovelace|203\.0\.113|azsdk/);
    expect(await told(both)).toContain(job.name);
    expect(await told(others)).toContain(bob.name);
    expect(await leaf(both)).toBe(leafBefore);
    expect(verifyReceipt(receipt, null, fixture.signer.verifierKey)).toMatchObject({ ok: true });
    await ledger.integrate();
    const after = await verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
    expect([before, after]).toMatchObject([
      { ok: true, size: 2 },
      { ok: true, size: 3 },
    ]);
    const { events } = await ledger.search({ action: 'person.erased', person: ids.ada }, { limit: 2 });
    expect(events.map(({ event }) => event)).toMatchObject([
      { unmapped: { lockstep: { change: { kind: 'person.erased', person: ids.ada, keys: 1 } } } },
    ]);
    expect(await eraseAda()).toEqual({ keys: 0, complete: true });
  });

  it('leaves valid OCSF in both versions, and says what is withheld', async () => {
    const ids = [
      await ledger.record(decided([ada, job])),
      await ledger.record(decided([ada], { method: 'BREW' })),
      ...(await Promise.all(sampleRequestFacts.map((fact) => ledger.record(fact)))),
    ];
    await ledger.commit(attribution({ chain: [ada] }), (_tx, record) => {
      for (const change of Object.values(sampleChanges)) record(change);
      return Promise.resolve();
    });
    for (const subject of [
      ...Object.values(ids),
      '22222222-2222-4222-8222-222222222222',
      '55555555-5555-4555-8555-555555555555',
      'anonymous',
    ])
      await ledger.erase(by, { id: subject, addresses: [] });
    await eraseAda();
    for (const { event, told: text, entry, withheld } of await ledger.eventsAfter(0, 1_000)) {
      expect(ocsfProblems(event, '1.8.0')).toEqual([]);
      expect(ocsfProblems(inOcsf19(entry, text), '1.9.0')).toEqual([]);
      const own = event['unmapped'] as { lockstep: { sealed?: unknown[] } };
      expect(own.lockstep.sealed?.length ?? 0).toBe(withheld.length);
    }
  });

  it('reaches what has been asked for by somebody’s address, and other people’s sign-ins by none', async () => {
    const address = 'Ada@example.test';
    const path = await ledger.record(decided([bob], { path: `/v1.0/users/${encodeURIComponent(address)}` }));
    const unknown = sampleRequestFacts.find(
      (fact) => fact.kind === 'authentication' && fact.principalId === null,
    );
    if (unknown?.kind !== 'authentication') throw new Error('no sample');
    const failed = await ledger.record({ ...unknown, principalName: 'ada@example.test' });
    expect(await leaf(path)).not.toMatch(/ada(@|%40)/i);
    expect(await leaf(failed)).not.toMatch(/ada@/i);
    expect(await told(path)).toContain('/v1.0/users/Ada%40example.test');
    expect(await eraseAda([address])).toMatchObject({ keys: 1 });
    expect(await told(path)).not.toMatch(/ada(@|%40)/i);
    expect(await told(path)).toContain(bob.name);
    expect(await told(failed)).not.toMatch(/ada@/i);
    expect(filesWith('ada@example.test')).toEqual([]);
  });

  it.each([
    "/v1.0/users('ada@example.test')",
    "/v1.0/users(userPrincipalName='ada@example.test')",
    '/v1.0/users/mail=ADA@example.test/manager',
    '/v1.0/users/ada%40example.test/%zz',
    '/v1.0/users/ada%40example.test%ff',
    '/v1.0/users/ada%2540example.test',
    '/v1.0/users/@/ada@example.test',
    `/${'x'.repeat(200)}/ada@example.test.`,
  ])('reaches an address in %s', async (path) => {
    const id = await ledger.record(decided([bob], { path }));
    expect(await leaf(id)).not.toMatch(/ada(@|%)/i);
    expect(await told(id)).toContain(path);
    await eraseAda(['ada@example.test']);
    expect(await told(id)).not.toMatch(/ada(@|%)/i);
  });

  it.each([
    ["/v1.0/users('o''ada@example.test')", "o'ada@example.test"],
    ["/v1.0/users/o'ada@example.test", "O'Ada@example.test"],
    ["/v1.0/users/'ada@example.test", "'ada@example.test"],
    ['/v1.0/users/a!d^a~#@corp', 'a!d^a~#@corp'],
    ['/v1.0/users/jörg@exämple.test', 'Jörg@exämple.test'],
    ['/v1.0/users/j%C3%B6rg%40ex%C3%A4mple.test', 'jörg@exämple.test'],
  ])('reaches in %s whoever signs in as %s', async (path, address) => {
    const id = await ledger.record(decided([bob], { path }));
    expect(await told(id)).toContain(path);
    await eraseAda([address]);
    expect(await told(id)).not.toContain('"url"');
  });

  it('takes what is no sign-in name, but holds an @, out of the log with what is known of whoever asked', async () => {
    const id = await ledger.record(decided([bob], { path: '/v1.0/users/jö%40ämple.test' }));
    expect(await leaf(id)).not.toMatch(/mple/);
    expect(await told(id)).toContain('ämple');
    await ledger.erase(by, { id: ids.bob, addresses: [] });
    expect(await told(id)).not.toMatch(/mple/);
  });

  it('reaches what was asked for by the address of somebody who is gone, which the log itself knows', async () => {
    const principal = { ...sampleChanges['principal.created'].principal, id: ids.ada as PrincipalId };
    await ledger.commit(by, (_tx, record) => {
      for (const signInName of ['ada@example.test', 'countess@example.test'])
        record({ kind: 'principal.created', principal: { ...principal, signInName } });
      record({
        kind: 'principal.created',
        principal: { ...principal, id: ids.bob as PrincipalId, signInName: 'bob@example.test' },
      });
      record({ kind: 'principal.deleted', id: ids.ada as PrincipalId, principalKind: 'user' });
      return Promise.resolve();
    });
    const paths = ['ada@example.test', 'countess@example.test', 'bob@example.test'];
    const asked = await Promise.all(
      paths.map((path) => ledger.record(decided([bob], { path: `/v1.0/users/${path}` }))),
    );
    expect(await ledger.erase(by, { id: ids.ada.toUpperCase(), addresses: [] })).toMatchObject({ keys: 3 });
    const [first, second, third] = await Promise.all(asked.map(told));
    expect([first, second]).toEqual([
      expect.not.stringContaining('"url"'),
      expect.not.stringContaining('"url"'),
    ]);
    expect(third).toContain('bob@example.test');
  });

  it('reaches what a refusal quotes of an address that nobody is known by', async () => {
    const unknown = sampleRequestFacts.find(
      (fact) => fact.kind === 'authentication' && fact.principalId === null,
    );
    if (unknown?.kind !== 'authentication') throw new Error('no sample');
    const reason = 'The application "ada@example.test" was not found.';
    const failed = await ledger.record({ ...unknown, principalName: null, detail: { reason } });
    expect(await told(failed)).toContain('ada@example.test');
    await eraseAda(['ada@example.test']);
    expect(await told(failed)).not.toContain('ada@');
  });

  it('of an address alone does not say for good which', async () => {
    const path = await ledger.record(decided([bob], { path: '/v1.0/users/ada@example.test' }));
    expect(await ledger.erase(by, { id: 'Ada@example.test', addresses: [] })).toMatchObject({ keys: 1 });
    expect(await told(path)).not.toContain('ada@');
    const [erased] = (await ledger.eventsAfter(0, 10)).slice(-1);
    expect(Buffer.from(erased?.entry ?? []).toString()).not.toMatch(/ada@/i);
    expect(erased?.event).toMatchObject({ entity: { uid: 'address' } });
  });

  it('is not undone by what the person does later, which is known again until it is erased', async () => {
    const first = await ledger.record(decided([ada]));
    await eraseAda();
    const second = await ledger.record(decided([ada]));
    expect(await told(first)).not.toContain(ada.name);
    expect(await told(second)).toContain(ada.name);
    await reopen();
    expect(await told(first)).not.toContain(ada.name);
    expect(await told(second)).toContain(ada.name);
    expect(await eraseAda()).toMatchObject({ keys: 1 });
    expect(await told(second)).not.toContain(ada.name);
  });

  it('leaves nothing of a key in any file, though many keys were written around it', async () => {
    const people = Array.from({ length: 1_000 }, (_, i): ActorRef => {
      return { kind: 'user', id: `user-${(i * 7_919) % 1_000}`, name: `Name ${i}` };
    });
    for (let i = 0; i < people.length; i += 250)
      await Promise.all(people.slice(i, i + 250).map((one) => ledger.record(decided([one]))));
    const secrets = () =>
      store.raw
        .prepare('select secret from personal_keys where erased_at is null')
        .all()
        .map(({ secret }) => Buffer.from(secret as Uint8Array));
    const absent = (of: readonly Buffer[]) => {
      const files = everyFile().map(({ bytes }) => bytes);
      return of.filter((secret) => !files.some((bytes) => bytes.includes(secret)));
    };
    const before = secrets();
    expect(before).toHaveLength(1_000);
    expect(absent(before)).toEqual([]);
    for (let i = 0; i < 1_000; i += 40) await ledger.erase(by, { id: `user-${i}`, addresses: [] });
    const kept = secrets();
    const gone = before.filter((secret) => !kept.some((other) => other.equals(secret)));
    expect(gone).toHaveLength(25);
    expect(absent(gone)).toHaveLength(25);
    expect(absent(kept)).toEqual([]);
  }, 60_000);

  it('cannot be tried out: whoever has all files and guesses the name has no way to tell', async () => {
    const id = await ledger.record(decided([ada]));
    const salts = (await ledger.disclosures(id)).disclosures.map(({ salt }) => salt);
    await eraseAda();
    const entry = leafOf((await ledger.eventById(id))?.entry ?? new Uint8Array());
    const [name] = commitmentsOf(entry) ?? [];
    if (name === undefined) throw new Error('nothing is bound');
    // With the salt the guess would be known to be right.
    expect(commitmentHash(id, name.at, salts[0] ?? '', ada.name)).toBe(name.hash);
    for (const salt of salts) expect(filesWith(salt)).toEqual([]);
    for (const salt of salts) expect(filesWith(Buffer.from(salt, 'base64url'))).toEqual([]);
    const guesses = ['', id, ids.ada, 'AAAAAAAAAAAAAAAAAAAAAA'].flatMap((salt) => [
      commitmentHash(id, name.at, salt, ada.name),
      hash('sha256', salt + ada.name, 'base64url'),
    ]);
    expect(guesses).not.toContain(name.hash);
    // The same name in another event is bound by another hash.
    const again = await ledger.record(decided([ada]));
    expect(await leaf(again)).not.toContain(name.hash);
  });

  it('is completed by the next start when it was cut off before the journal was cleared', async () => {
    await end();
    ({ ledger, store } = await fixture.open({
      fault: (step, moment) => {
        if (step === 'erase.scrub' && moment === 'before') throw new Error('cut off');
      },
    }));
    const id = await ledger.record(decided([ada]));
    const [row] = store.raw.prepare('select secret from personal_keys').all();
    const secret = Buffer.from(row?.['secret'] as Uint8Array);
    await expect(eraseAda()).rejects.toThrow('cut off');
    expect(await told(id)).not.toContain(ada.name);
    expect(filesWith(secret)).not.toEqual([]);
    // What a process that was killed leaves: the same files, opened by another.
    const second = await fixture.open({ directory: join(fixture.home, 'other') }).catch(() => null);
    await second?.ledger.close();
    await second?.store.close();
    expect(filesWith(secret)).toEqual([]);
  });

  it('that does not commit has erased nothing', async () => {
    const id = await ledger.record(decided([ada]));
    const unguard = ledger.guard(() => {
      throw new Error('not now');
    });
    await expect(eraseAda()).rejects.toThrow('not now');
    unguard();
    expect(await told(id)).toContain(ada.name);
    expect(await ledger.record(decided([ada])).then(told)).toContain(ada.name);
  });

  it('leaves every decision to be made again, and the feed says that names are to be asked for', async () => {
    const principal = { ...sampleChanges['principal.created'].principal, id: ids.ada as PrincipalId };
    await ledger.commit(attribution({ chain: [ada] }), (_tx, record) => {
      record({ kind: 'principal.created', principal });
      record(sampleChanges['role-assignment.put']);
      return Promise.resolve();
    });
    const id = await ledger.record(decided([ada]));
    const steps = async () => (await changeFeed(store).after(0, 10)).steps;
    expect(await steps()).toMatchObject([
      { whole: true, change: { principal: { displayName: 'Ada', signInName: 'ada@example.test' } } },
      { whole: true },
    ]);
    await eraseAda();
    expect(await steps()).toMatchObject([
      {
        whole: false,
        change: { principal: { id: ids.ada, enabled: true, displayName: '', signInName: null } },
      },
      { whole: true },
      { change: null },
    ]);
    const entries = (await ledger.eventsAfter(0, 10)).map(({ entry }) => parseEntry(entry));
    expect(entries).toMatchObject([
      { kind: 'change', whole: true, change: { principal: { id: ids.ada } } },
      { kind: 'change', whole: true },
      { kind: 'decision', facts: { eventId: id, whole: true } },
      { kind: 'change', change: null },
    ]);
    expect(parseRecordedChange({ kind: 'person.erased', person: ids.ada, keys: 1 }).change).toBeNull();
  });

  it('reaches the archive: what was pruned from the database is told until it is erased', async () => {
    await ledger.commit(by, (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    const recorded: EventId[] = [];
    for (let i = 0; i < tileWidth; i += 64)
      recorded.push(
        ...(await Promise.all(
          Array.from({ length: 64 }, (_, j) =>
            ledger.record(
              decided([j % 2 === 0 ? ada : bob], {
                attribution: attribution({ decisionId: `dec_${i + j}` as DecisionId }),
              }),
            ),
          ),
        )),
      );
    await ledger.commit(by, (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    await ledger.integrate();
    fixture.clock.advance(1);
    expect(await ledger.prune(by, fixture.clock.now())).toMatchObject({ rows: tileWidth });
    const [of1, of2] = [recorded[0], recorded[1]];
    if (of1 === undefined || of2 === undefined) throw new Error('nothing was recorded');
    expect(await ledger.eventById(of1)).toBeNull();
    const values = async (id: EventId) =>
      (await ledger.disclosures(id)).disclosures.map(({ value }) => value);
    expect([await values(of1), await values(of2)].map(([name]) => name)).toEqual(['Ada', 'Ada']);
    expect(filesWith(ada.name)).toEqual([]);
    await ledger.erase(by, { id: '22222222-2222-4222-8222-222222222222', addresses: [] });
    expect([await values(of1), await values(of2)]).toEqual([[], []]);
    expect(verifyReceipt(await ledger.receipt(of1), null, fixture.signer.verifierKey)).toMatchObject({
      ok: true,
    });
  });
});

describe.each([
  ['beside the ledger', true],
  ['in the process', false],
] as const)('what callers say that requests belong to, searched %s', (_where, inThread) => {
  beforeEach(async () => {
    await end();
    ({ ledger, store } = await fixture.open({ inThread }));
  });

  const saying = async (correlationId: string, chain: readonly ActorRef[] = [ada]) =>
    ledger.record(decided(chain, { attribution: attribution({ chain, correlationId }) }));
  const found = async (filter: EventFilter) =>
    (await ledger.search(filter, { limit: 100 })).events.map(({ event }) => uidOf(event));
  const byCorrelation = (correlation: string) => found({ correlation });

  it('is in the log where it can be nothing but an id', async () => {
    const guid = '0a0a0a0a-1111-4222-8333-444444444444';
    const id = await saying(guid);
    expect(await leaf(id)).toContain(guid);
    expect(await byCorrelation(guid)).toEqual([id]);
    await eraseAda();
    expect(await byCorrelation(guid)).toEqual([id]);
  });

  it('is bound otherwise, found until its writer is erased, and by nobody afterwards', async () => {
    const [first, other, second] = [
      await saying('train-for-dr-lovelace'),
      await saying('train-for-dr-lovelace', [bob]),
      await saying('another-text'),
    ];
    for (const id of [first, other, second]) expect(await leaf(id)).not.toMatch(/lovelace|another/);
    expect(await told(first)).toContain('"correlationId":"train-for-dr-lovelace"');
    expect(await byCorrelation('train-for-dr-lovelace')).toEqual([other, first]);
    expect(await found({ ids: ['train-for-dr-lovelace'] })).toEqual([other, first]);
    expect(await found({ correlation: 'train-for-dr-lovelace', person: ids.bob })).toEqual([other]);
    expect(await byCorrelation('train-for-dr')).toEqual([]);
    await eraseAda();
    expect(await byCorrelation('train-for-dr-lovelace')).toEqual([other]);
    expect(await found({ ids: ['train-for-dr-lovelace'] })).toEqual([other]);
    expect(await byCorrelation('another-text')).toEqual([]);
    expect(await told(first)).not.toContain('lovelace');
    await ledger.erase(by, { id: ids.bob, addresses: [] });
    expect(await byCorrelation('train-for-dr-lovelace')).toEqual([]);
  });

  it('goes with the address in it, whoever sent it, and is in no file and no index', async () => {
    const address = 'jane.doe@example.org';
    const sent = [await saying(address, [bob]), await saying(`nightly|${address}`, [ada])];
    expect(await byCorrelation(address)).toEqual([sent[0]]);
    expect(await byCorrelation(`nightly|${address}`)).toEqual([sent[1]]);
    await ledger.integrate();
    for (const id of sent) {
      const entry = (await ledger.eventById(id))?.entry ?? new Uint8Array();
      // What the index is made of: a word of the address could be tried out in it for ever.
      expect(JSON.stringify(factsIn(entry))).not.toContain('jane');
    }
    expect(await ledger.erase(by, { id: address, addresses: [] })).toMatchObject({ keys: 1 });
    expect(await byCorrelation(address)).toEqual([]);
    expect(await byCorrelation(`nightly|${address}`)).toEqual([]);
    for (const id of sent) expect(await told(id)).not.toContain('jane');
    expect(await told(sent[0] ?? ('' as EventId))).toContain(bob.name);
    await end();
    expect(filesWith('jane')).toEqual([]);
    ({ ledger, store } = await fixture.open({ inThread }));
    const verdict = await verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
    expect(verdict).toMatchObject({ ok: true });
  });

  it('is found over pages, among others that are bound', async () => {
    const wanted: EventId[] = [];
    for (let i = 0; i < 30; i++) {
      const id = await saying(i % 3 === 0 ? 'the-nightly' : `number-${i}`);
      if (i % 3 === 0) wanted.unshift(id);
    }
    const pages: string[] = [];
    let before: number | undefined;
    do {
      const page = await ledger.search({ correlation: 'the-nightly' }, { limit: 4, before });
      pages.push(...page.events.map(({ event }) => uidOf(event)));
      before = page.next ?? undefined;
    } while (before !== undefined);
    expect(pages).toEqual(wanted);
  });
});

it('a path is in the log where it is the scope, and goes with its writer where it says more', async () => {
  const scope = '/subscriptions/s/resourcegroups/g';
  const plain = await ledger.record(decided([ada], { path: '/subscriptions/s/resourceGroups/g', scope }));
  const more = await ledger.record(decided([ada], { path: '/wiki/people/jane-doe', scope }));
  expect(await leaf(plain)).toContain('"url":{"path":"/subscriptions/s/resourceGroups/g"}');
  expect(await leaf(more)).not.toMatch(/jane|"url"/);
  expect(await told(more)).toContain('"url":{"path":"/wiki/people/jane-doe"}');
  await eraseAda();
  expect(await told(more)).not.toMatch(/jane|"url"/);
  expect(await told(more)).toContain(scope);
});

it('a method that is none, which a stranger made up, is not in the log', async () => {
  const id = await ledger.record(decided([ada], { method: 'JANEDOE' }));
  expect(await leaf(id)).not.toContain('JANEDOE');
  expect(await told(id)).toContain('JANEDOE');
  await eraseAda();
  expect(await told(id)).not.toContain('JANEDOE');
});
