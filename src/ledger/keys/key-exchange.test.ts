import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import type { EventId } from '../../lib/ids.ts';
import { createSealer } from '../../store/sealer.ts';
import { keySteps, type Fault, type StorageStep } from '../faults.ts';
import { openNote } from '../note.ts';
import { directorySource } from '../sources/directory-source.ts';
import { openKeyHouse, sealingKey, type KeyHouse } from '../testing/key-house.ts';
import { attribution, decidedFact, LedgerFixture, origin } from '../testing/ledger-fixture.ts';
import { WitnessHouse } from '../testing/witness-house.ts';
import { walkKeys } from '../verify/key-history.ts';
import { openCheckpoint } from '../verify/open-checkpoint.ts';
import { parsePolicy, type Policy } from '../verify/policy.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { ensureFirstKey } from './first-key.ts';
import { LogKeys, sealContext } from './log-keys.ts';

const day = 86_400_000;
const by = attribution();
let fixture: LedgerFixture;
let clock: ManualClock;
beforeEach(() => {
  fixture = new LedgerFixture();
  clock = new ManualClock(1_770_000_000_000);
});
afterEach(() => fixture.remove());

const read = (name: string) => readFileSync(join(fixture.logDirectory, name), 'utf8');
const open = (options: Parameters<typeof openKeyHouse>[1] = {}) =>
  openKeyHouse(fixture.home, { clock, ...options });
const source = () => directorySource(fixture.logDirectory);

async function receiptOf(house: KeyHouse): Promise<{ id: EventId; receipt: string }> {
  const id = await house.ledger.record(decidedFact());
  return { id, receipt: await house.ledger.receipt(id) };
}

function sealedOf({ store }: KeyHouse, verifierKey: string): string {
  const row = store.raw
    .prepare('select sealed from ledger_key_secrets where verifier_key = ?')
    .get(verifierKey);
  return String(row?.['sealed']);
}

/** Whether the text is anywhere in the files of the database. */
function isOnDisk(text: string): boolean {
  return ['lockstep.db', 'lockstep.db-wal'].some((name) => {
    try {
      return readFileSync(join(fixture.home, name)).includes(text);
    } catch {
      return false;
    }
  });
}

describe('an exchange of the key of the log', () => {
  it('has both keys sign for a time, then the new one alone; receipts of every time verify by the keys listed', async () => {
    const house = await open();
    const { ledger, exchange, keys } = house;
    const first = ledger.verifierKey;
    const before = await receiptOf(house);
    const kept = read('checkpoint');
    const sealed = sealedOf(house, first);
    expect(isOnDisk(sealed)).toBe(true);

    await exchange.begin(by, { kind: 'planned', overlapMilliseconds: 30 * day });
    const second = ledger.verifierKey;
    expect(second).not.toBe(first);
    expect(ledger.verifierKeys).toEqual([second, first]);
    expect(read('key')).toBe(`${second}\n${first}\n`);
    expect(ledger.policy).toBe(`log ${second}\nlog ${first}\nquorum none\n`);
    const during = await receiptOf(house);
    for (const key of [first, second]) {
      expect(openNote(read('checkpoint'), [key])).toMatchObject({ ok: true });
      expect(verifyReceipt(during.receipt, null, key)).toMatchObject({ ok: true });
      expect(await verifyLog(source(), key)).toMatchObject({ ok: true });
    }
    expect(await verifyConsistency(source(), kept, first)).toMatchObject({ ok: true });

    clock.advance(30 * day - 1);
    await exchange.advance(by);
    expect(ledger.verifierKeys).toEqual([second, first]);
    clock.advance(1);
    await exchange.advance(by);
    expect(ledger.verifierKeys).toEqual([second]);
    expect(ledger.retiredKeys).toEqual([first]);
    expect(read('key')).toBe(`${second}\n`);
    const after = await receiptOf(house);
    expect(openNote(read('checkpoint'), [first])).toMatchObject({ ok: false });
    expect(openCheckpoint(read('checkpoint'), first)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('key-history') as string,
    });

    // Whoever kept the old key alone walks to the new one, and whoever knows the new one alone to the old one.
    for (const trusted of [first, second]) {
      const walk = walkKeys(read('key-history'), [trusted]);
      expect(walk).toMatchObject({ ok: true, current: second, keys: [first, second] });
      if (!walk.ok) continue;
      for (const { receipt } of [before, during, after]) {
        expect(verifyReceipt(receipt, null, walk.keys)).toMatchObject({ ok: true });
      }
      expect(await verifyConsistency(source(), kept, walk.keys)).toMatchObject({ ok: true });
    }
    expect(verifyReceipt(before.receipt, null, second)).toMatchObject({ ok: false });
    expect(await ledger.receipt(before.id)).toContain('index 0');
    expect(keys.all.map(({ state }) => state)).toEqual(['retired', 'signing']);
    expect(isOnDisk(sealed)).toBe(false);
    await house.close();
    expect(isOnDisk(sealed)).toBe(false);
  });

  it('leaves the database overwriting what it deletes: a personal key that is erased is not found in free space', async () => {
    const house = await open();
    const overwrites = () => house.store.raw.prepare('pragma secure_delete').get();
    expect(overwrites()).toEqual({ secure_delete: 1 });
    await house.exchange.begin(by, { kind: 'planned' });
    await house.exchange.begin(by, { kind: 'compromised' });
    expect(overwrites()).toEqual({ secure_delete: 1 });
    await house.close();
  });

  it('is recorded: announced under the old key alone, begun, ended', async () => {
    const notes: string[] = [];
    const house = await open({
      fault: (step, moment) => {
        if (step === 'key.begin' && moment === 'before') notes.push(read('checkpoint'));
      },
    });
    const first = house.ledger.verifierKey;
    await house.exchange.begin(by, { kind: 'planned', overlapMilliseconds: 0 });
    clock.advance(1);
    await house.exchange.advance(by);
    const second = house.ledger.verifierKey;
    const feed = await house.ledger.eventsAfter(0, 10);
    const changes = feed.map(
      ({ entry }) =>
        (JSON.parse(Buffer.from(entry).toString('utf8')) as { unmapped: { lockstep: { change: object } } })
          .unmapped.lockstep.change,
    );
    const note = read('key-history');
    expect(changes).toEqual([
      { kind: 'ledger-key.announced', verifierKey: second, follows: first, note },
      { kind: 'ledger-key.began', verifierKey: second, until: 1_770_000_000_000 },
      { kind: 'ledger-key.ended', verifierKey: first, reason: 'planned' },
    ]);
    expect(openNote(notes[0]!, [first])).toMatchObject({ ok: true });
    expect(openNote(notes[0]!, [second])).toMatchObject({ ok: false });
    expect(notes[0]!.split('\n')[1]).toBe('1');
    await house.close();
  });

  it('comes by itself when a key has signed for as long as it may, again and again', async () => {
    const house = await open({
      exchange: { everyMilliseconds: 100 * day, overlapMilliseconds: 10 * day },
    });
    const seen = [house.ledger.verifierKey];
    for (let i = 0; i < 3; i++) {
      clock.advance((i === 0 ? 100 : 90) * day - 1);
      await house.exchange.advance(by);
      expect(house.ledger.verifierKeys).toEqual([seen.at(-1)]);
      clock.advance(1);
      await house.exchange.advance(by);
      expect(house.ledger.verifierKeys).toEqual([expect.any(String), seen.at(-1)]);
      seen.push(house.ledger.verifierKey);
      clock.advance(10 * day);
      await house.exchange.advance(by);
      expect(house.ledger.verifierKeys).toEqual([seen.at(-1)]);
    }
    expect(walkKeys(read('key-history'), [seen[0]!])).toMatchObject({ ok: true, keys: seen });
    expect(await verifyLog(source(), seen.at(-1)!)).toMatchObject({ ok: true, size: 9 });
    await house.close();
  });

  it('is refused while another is under way', async () => {
    const house = await open();
    await house.exchange.begin(by, { kind: 'planned', overlapMilliseconds: day });
    await expect(house.exchange.begin(by, { kind: 'planned' })).rejects.toMatchObject({ code: 'conflict' });
    expect(house.keys.all).toHaveLength(2);
    await house.close();
  });

  it('of a compromised key happens at once, in the middle of another exchange too; no walk passes it', async () => {
    const house = await open();
    const first = house.ledger.verifierKey;
    await house.exchange.begin(by, { kind: 'planned', overlapMilliseconds: 30 * day });
    const second = house.ledger.verifierKey;
    const sealed = [first, second].map((key) => sealedOf(house, key));
    await house.exchange.begin(by, { kind: 'compromised' });
    const third = house.ledger.verifierKey;
    expect(house.ledger.verifierKeys).toEqual([third]);
    expect(house.ledger.retiredKeys).toEqual([first, second]);
    for (const key of [first, second]) {
      expect(openNote(read('checkpoint'), [key])).toMatchObject({ ok: false });
      expect(walkKeys(read('key-history'), [key])).toMatchObject({
        ok: false,
        reason: expect.stringContaining(third) as string,
      });
    }
    expect(walkKeys(read('key-history'), [third])).toMatchObject({ ok: true, keys: [third] });
    expect(sealed.map(isOnDisk)).toEqual([false, false]);
    expect(await verifyLog(source(), third)).toMatchObject({ ok: true, size: 6 });
    await house.close();
    const again = await open();
    expect((await receiptOf(again)).receipt).toContain('index 6');
    await again.close();
  });

  it('keeps the old key until a checkpoint that the new one has signed is published', async () => {
    let failing = false;
    const house = await open({
      fault: (step, moment) => {
        if (failing && step === 'checkpoint.write' && moment === 'before')
          throw new Error('the disk is full');
      },
    });
    const first = house.ledger.verifierKey;
    await house.ledger.integrate();
    failing = true;
    await expect(house.exchange.begin(by, { kind: 'planned', overlapMilliseconds: 0 })).rejects.toThrow();
    await expect(house.exchange.advance(by)).rejects.toThrow();
    expect(house.keys.all.map(({ state }) => state)).toEqual(['signing', 'announced']);
    expect(openNote(read('checkpoint'), [first])).toMatchObject({ ok: true });
    failing = false;
    await house.exchange.advance(by);
    clock.advance(1);
    await house.exchange.advance(by);
    expect(house.keys.all.map(({ state }) => state)).toEqual(['retired', 'signing']);
    await house.close();
  });

  it('that happens between the signing of a checkpoint and its publication has it signed anew', async () => {
    let written = 0;
    const house = await open({
      ledger: { publishIntervalMilliseconds: 1_000_000 },
      fault: (step, moment) => {
        if (step !== 'checkpoint.write' || moment !== 'after') return;
        written += 1;
        if (written !== 2) return;
        // As another process would: the keys are not those any more that have just signed.
        const other = new DatabaseSync(join(fixture.home, 'lockstep.db'));
        other.exec('update ledger_keys set ends_at = 1');
        other.close();
      },
    });
    expect(written).toBe(1);
    await house.ledger.record(decidedFact());
    await house.ledger.integrate();
    expect(written).toBe(3);
    expect(await verifyLog(source(), house.ledger.verifierKey)).toMatchObject({ ok: true, size: 1 });
    await house.close();
  });

  it('by one process is what another on the same database signs with from then on', async () => {
    const one = await open();
    const other = await open();
    const first = one.ledger.verifierKey;
    await receiptOf(one);
    await other.exchange.begin(by, { kind: 'planned', overlapMilliseconds: 0 });
    await receiptOf(one);
    expect(one.ledger.verifierKeys).toEqual(other.ledger.verifierKeys);
    clock.advance(1);
    await other.exchange.advance(by);
    const { receipt } = await receiptOf(one);
    expect(verifyReceipt(receipt, null, first)).toMatchObject({ ok: false });
    expect(verifyReceipt(receipt, null, other.ledger.verifierKey)).toMatchObject({ ok: true });
    await one.exchange.begin(by, { kind: 'planned', overlapMilliseconds: day });
    await expect(other.exchange.begin(by, { kind: 'planned' })).rejects.toMatchObject({ code: 'conflict' });
    expect(other.keys.all).toEqual(one.keys.all);
    expect(one.keys.all).toHaveLength(3);
    await other.close();
    await one.close();
  });
});

describe('a step of an exchange that fails', () => {
  const failingOnce = (
    step: StorageStep,
    moment: 'before' | 'after',
  ): Fault & { armed: boolean; fired: boolean } => {
    const fault = Object.assign(
      (at: StorageStep, when: 'before' | 'after') => {
        if (!fault.armed || fault.fired || at !== step || when !== moment) return;
        fault.fired = true;
        throw new Error(`${step} failed ${moment} it took effect`);
      },
      { armed: false, fired: false },
    );
    return fault;
  };

  it.each(
    keySteps.flatMap((step) => (['before', 'after'] as const).map((moment) => [step, moment] as const)),
  )(
    '%s, %s it takes effect: there is always a key that signs, one history of keys, and the next attempt ends it',
    async (step, moment) => {
      const fault = failingOnce(step, moment);
      const house = await open({
        fault,
        exchange: { everyMilliseconds: 100 * day, overlapMilliseconds: 10 * day },
      });
      const first = house.ledger.verifierKey;
      const kept = (await receiptOf(house)).receipt;
      fault.armed = true;
      for (let i = 0; i < 4; i++) {
        clock.advance(100 * day);
        await house.exchange.advance(by).catch(() => undefined);
        await house.ledger.record(decidedFact());
        await house.ledger.integrate().catch(() => undefined);
        await receiptOf(house);
      }
      expect(fault.fired).toBe(true);
      const walk = walkKeys(read('key-history'), [first]);
      expect(walk.ok && walk.keys.length).toBeGreaterThanOrEqual(3);
      if (!walk.ok) return;
      expect(house.ledger.verifierKeys).toContain(walk.current);
      expect(await verifyLog(source(), walk.keys)).toMatchObject({ ok: true });
      expect(verifyReceipt(kept, null, walk.keys)).toMatchObject({ ok: true });
      expect(house.ledger.health()).toEqual({ state: 'ok' });
      // Without close: the process has ended here.
      await house.store.close();
      const again = await open();
      await again.exchange.advance(by);
      expect((await receiptOf(again)).receipt).toContain('index ');
      const secrets = again.store.raw.prepare('select verifier_key from ledger_key_secrets').all();
      expect(secrets.map((row) => String(row['verifier_key'])).sort()).toEqual(
        [...again.ledger.verifierKeys].sort(),
      );
      await again.close();
    },
  );
});

describe('witnesses', () => {
  it('go on through an exchange when they are given both keys; one that is not says why it stops', async () => {
    const [told, untold] = [new WitnessHouse('told'), new WitnessHouse('untold')];
    const house = await open();
    const first = house.ledger.verifierKey;
    await house.close();
    await told.start([first]);
    await untold.start([first]);
    const parsed = parsePolicy(
      [
        `log ${first}`,
        `witness told ${told.verifierKey} ${told.url}`,
        `witness untold ${untold.verifierKey} ${untold.url}`,
        'group any 1 told untold',
        'quorum any\n',
      ].join('\n'),
    );
    if (!parsed.ok) throw new Error(parsed.reason);
    const { policy } = parsed;
    try {
      const witnessed = await open({ ledger: { witnesses: policy } });
      const { ledger, exchange } = witnessed;
      const cosigners = (receipt: string, keys: readonly string[]) => {
        const trust: Policy = { ...policy, logs: keys.map((verifierKey) => ({ verifierKey, url: null })) };
        const verdict = verifyReceipt(receipt, null, trust);
        return verdict.ok ? verdict.cosignatures.map(({ witness }) => witness).sort() : verdict.reason;
      };
      expect(cosigners((await receiptOf(witnessed)).receipt, [first])).toContain('told');
      await exchange.begin(by, { kind: 'planned', overlapMilliseconds: day });
      const second = ledger.verifierKey;
      // Both know the old key, which still signs.
      for (const key of [first, second]) {
        expect(cosigners((await receiptOf(witnessed)).receipt, [key])).toContain('told');
      }
      // One is given the new key beside the old one.
      await told.stop();
      await told.start([first, second]);
      expect(cosigners((await receiptOf(witnessed)).receipt, [second])).not.toEqual([]);
      clock.advance(day);
      await exchange.advance(by);
      const { receipt } = await receiptOf(witnessed);
      expect(cosigners(receipt, [second])).toEqual(['told']);
      expect(cosigners(receipt, [first])).toContain('another key');
      expect(ledger.witnessing()?.witnesses.find(({ name }) => name === 'untold')?.problem).toContain(
        'it may not know a new key',
      );
      expect(ledger.witnessing()?.unmetSince).toBeNull();
      await witnessed.close();
    } finally {
      await told.remove();
      await untold.remove();
    }
  });
});

describe('an overlap that is over', () => {
  it('goes on until enough witnesses cosign what the new key alone has signed', async () => {
    const ada = new WitnessHouse('ada');
    const before = await open();
    const first = before.ledger.verifierKey;
    await before.close();
    await ada.start([first]);
    const parsed = parsePolicy(`log ${first}\nwitness ada ${ada.verifierKey} ${ada.url}\nquorum ada\n`);
    if (!parsed.ok) throw new Error(parsed.reason);
    try {
      const house = await open({ ledger: { witnesses: parsed.policy } });
      const { ledger, exchange } = house;
      await receiptOf(house);
      await exchange.begin(by, { kind: 'planned', overlapMilliseconds: day });
      await receiptOf(house);
      clock.advance(2 * day);
      for (let i = 0; i < 2; i++) {
        await exchange.advance(by);
        expect(ledger.verifierKeys).toContain(first);
        expect(exchange.lackingWitnesses).toEqual(['ada']);
        // Nothing has become worse by the question.
        expect((await receiptOf(house)).receipt).toContain('witness.test/ada');
      }
      await ada.stop();
      await exchange.advance(by);
      expect(exchange.lackingWitnesses).toEqual(['ada']);
      await ada.start([first, ledger.verifierKey]);
      await exchange.advance(by);
      expect(exchange.lackingWitnesses).toEqual([]);
      expect(ledger.verifierKeys).not.toContain(first);
      expect((await receiptOf(house)).receipt).toContain('witness.test/ada');
      await house.close();
    } finally {
      await ada.remove();
    }
  }, 20_000);
});

describe('the keys in the database', () => {
  it('are refused when they were sealed for another, altered, or are gone', async () => {
    const house = await open();
    const { store } = house;
    const sealer = createSealer(sealingKey);
    const key = house.ledger.verifierKey;
    const sealed = sealedOf(house, key);
    const put = (text: string) => store.raw.prepare('update ledger_key_secrets set sealed = ?').run(text);
    const reopened = () => LogKeys.open({ store, sealer, origin });
    const own = sealer.open(sealed, sealContext(key));
    put(sealer.seal(own, 'ledger signing key'));
    await expect(reopened()).rejects.toThrow();
    const other = new LedgerFixture();
    put(sealer.seal(own.replace(/.{4}$/, 'AAA='), sealContext(key)));
    await expect(reopened()).rejects.toThrow();
    other.remove();
    store.raw.exec('delete from ledger_key_secrets');
    await expect(reopened()).rejects.toThrow('holds no private half');
    await ensureFirstKey({
      store,
      sealer,
      origin,
      now: 0,
      existing: null,
      alongside: () => Promise.reject(new Error('it has a key already')),
    });
    await house.store.close();
  });
});
