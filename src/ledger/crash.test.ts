import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { cosignedSteps, erasingSteps, retentionSteps, storageSteps, type StorageStep } from './faults.ts';
import { generateNoteKey } from './note.ts';
import { directorySource } from './sources/directory-source.ts';
import { decidedFact, LedgerFixture, origin } from './testing/ledger-fixture.ts';
import { WitnessHouse } from './testing/witness-house.ts';
import { parsePolicy, type Policy } from './verify/policy.ts';
import { verifyConsistency } from './verify/verify-consistency.ts';
import { verifyLog } from './verify/verify-log.ts';
import { verifyReceipt } from './verify/verify-receipt.ts';

const { signingKey } = generateNoteKey(origin);
let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture(signingKey);
});
afterEach(() => fixture.remove());

/** Where the child publishes. */
const everywhere = ['within', 'thread'] as const;
type Where = (typeof everywhere)[number];
const moments = ['before', 'after'] as const;

/** Lets a child append until it is killed: after so many acknowledgements, or by itself at a storage step. */
async function appendUntilKilled(
  acknowledgements: number,
  where: Where,
  suicide: readonly string[] = [],
): Promise<string[]> {
  const program = join(import.meta.dirname, 'testing', 'appending-child.ts');
  const child = spawn(process.execPath, [program, fixture.home, signingKey, where, ...suicide], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === acknowledgements) child.kill('SIGKILL');
  }
  expect((await exited)[1]).toBe('SIGKILL');
  return acknowledged;
}

interface Aftermath {
  /** Acknowledged, but not there. */
  readonly lost: string[];
  readonly rowsWithoutEvent: number;
  readonly verified: boolean;
  readonly hasOnlyGrown: boolean;
}

const nothingIsLost: Aftermath = { lost: [], rowsWithoutEvent: 0, verified: true, hasOnlyGrown: true };

async function aftermath(acknowledged: readonly string[], lastNote: string | null): Promise<Aftermath> {
  const { ledger, store } = await fixture.open({ clock: systemClock });
  const feed = await ledger.eventsAfter(0, 1_000_000);
  const rows = await store.db.selectFrom('meta').select('key').execute();
  const present = new Set([...feed.map((event): string => event.id), ...rows.map((row) => row.key)]);
  const source = directorySource(fixture.logDirectory);
  const verdict = await verifyLog(source, fixture.signer.verifierKey);
  const growth =
    lastNote === null ? null : await verifyConsistency(source, lastNote, fixture.signer.verifierKey);
  await ledger.close();
  await store.close();
  return {
    lost: acknowledged.filter((one) => !present.has(one)),
    rowsWithoutEvent: rows.length - feed.filter((event) => event.classUid === 6005).length,
    verified: verdict.ok && verdict.size === feed.length,
    hasOnlyGrown: growth?.ok ?? true,
  };
}

/** What an erasure that was cut off has left to do, after a start. */
async function erasuresLeft(): Promise<unknown[]> {
  const { ledger, store } = await fixture.open({ clock: systemClock });
  const left = store.raw
    .prepare(
      `select key from meta where key = 'ledger.erasure'
       union all select name from personal_keys where (erased_at is null) <> (secret <> zeroblob(32))`,
    )
    .all();
  await ledger.close();
  await store.close();
  return left;
}

describe.each(everywhere)('after kill -9 of a process that publishes %s', (where) => {
  it('at random moments, again and again: every acknowledged event is there and the log is one', async () => {
    const acknowledged: string[] = [];
    let note: string | null = null;
    for (let round = 0; round < 3; round++) {
      acknowledged.push(...(await appendUntilKilled(randomInt(50, 800), where)));
      expect(await aftermath(acknowledged, note)).toEqual(nothingIsLost);
      note = readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
    }
  }, 120_000);
});

// As the product runs. Within, the same steps are made to fail by the tests of the sequencer.
describe('after kill -9 of a process that publishes in its thread', () => {
  const where = 'thread';
  const table = (steps: readonly StorageStep[]) =>
    steps.flatMap((step) => moments.map((moment) => [step, moment] as const));

  it.each(table([...storageSteps, ...erasingSteps]))(
    'at %s, %s it takes effect: the same',
    async (step, moment) => {
      const acknowledged = await appendUntilKilled(Infinity, where, [step, moment, String(randomInt(1, 6))]);
      expect(await aftermath(acknowledged, null)).toEqual(nothingIsLost);
      expect(await erasuresLeft()).toEqual([]);
    },
    60_000,
  );

  it.each(table(retentionSteps))(
    'while the log forgets its beginning, at %s, %s it takes effect: what it keeps is whole, and it goes on',
    async (step, moment) => {
      const acknowledged = await appendUntilKilled(Infinity, where, [step, moment]);
      const source = directorySource(fixture.logDirectory);
      const killed = await verifyLog(source, fixture.signer.verifierKey);
      expect(killed).toMatchObject({ ok: true });
      const { ledger, store } = await fixture.open();
      await ledger.record(decidedFact());
      await ledger.close();
      await store.close();
      const verdict = await verifyLog(source, fixture.signer.verifierKey);
      expect(verdict).toMatchObject({ ok: true });
      const events = acknowledged.filter((one) => one.startsWith('evt_'));
      expect(verdict.ok && verdict.size).toBeGreaterThan(events.length);
    },
    60_000,
  );

  it.each(table(cosignedSteps))(
    'of a log with a witness, at %s, %s it takes effect: what it shows has its quorum and is whole, and it goes on',
    async (step, moment) => {
      const witness = new WitnessHouse('ada');
      await witness.start([fixture.signer.verifierKey]);
      try {
        const text = [
          `log ${fixture.signer.verifierKey}`,
          `witness ada ${witness.verifierKey} ${witness.url}`,
          'quorum ada',
          '',
        ].join('\n');
        const policy = policyIn(text);
        writeFileSync(join(fixture.home, 'witnesses.policy'), text);
        const acknowledged = await appendUntilKilled(Infinity, where, [
          step,
          moment,
          String(randomInt(1, 4)),
        ]);
        const source = directorySource(fixture.logDirectory);
        const note = readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
        expect(await verifyLog(source, policy)).toMatchObject({ ok: true });

        const { ledger, store } = await fixture.open({ clock: systemClock, witnesses: policy });
        const receipt = await ledger.receipt(await ledger.record(decidedFact()));
        expect(verifyReceipt(receipt, null, policy)).toMatchObject({ ok: true });
        const feed = await ledger.eventsAfter(0, 1_000_000);
        await ledger.close();
        await store.close();
        const present = new Set(feed.map((event): string => event.id));
        const events = acknowledged.filter((one) => one.startsWith('evt_'));
        expect(events.filter((id) => !present.has(id))).toEqual([]);
        expect(await verifyLog(source, policy)).toMatchObject({ ok: true, size: feed.length });
        expect(await verifyConsistency(source, note, policy)).toMatchObject({ ok: true });
      } finally {
        await witness.remove();
      }
    },
    60_000,
  );
});

function policyIn(text: string): Policy {
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.policy;
}
