import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventId } from '../../lib/ids.ts';
import { systemAttribution } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import { retentionSteps, type Fault } from '../faults.ts';
import type { Ledger, LedgerOptions } from '../ledger.ts';
import { createSigner, generateNoteKey } from '../note.ts';
import { directorySource } from '../sources/directory-source.ts';
import { decidedFact, LedgerFixture, origin, tenantId } from '../testing/ledger-fixture.ts';
import { sampleChanges } from '../testing/sample-facts.ts';
import { formatCheckpoint } from '../tlog/checkpoint.ts';
import { tilePath, tilesOf, endOf } from '../tlog/tile.ts';
import { openCheckpoint } from '../verify/open-checkpoint.ts';
import { formatRetention, parseRetention, readRetention, type Retention } from '../verify/retention.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog, type LogVerdict } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { replayLog } from '../../reports/replay-log.ts';

const by = systemAttribution(tenantId, 'tests');
const hour = 3_600_000;

let fixture: LedgerFixture;
let ledger: Ledger;
let store: Store;
let ids: EventId[];
beforeEach(() => {
  fixture = new LedgerFixture();
});
afterEach(async () => {
  await end();
  fixture.remove();
});

async function end(): Promise<void> {
  await ledger.close();
  await store.close();
}

async function reopen(options: Partial<LedgerOptions> = {}): Promise<void> {
  await end();
  ({ ledger, store } = await fixture.open(options));
}

async function record(count: number): Promise<void> {
  for (let i = 0; i < count; i += 64) {
    const some = Array.from({ length: Math.min(64, count - i) }, () => ledger.record(decidedFact()));
    ids.push(...(await Promise.all(some)));
  }
}

async function change(): Promise<void> {
  await ledger.commit(by, (_tx, note) => {
    note(sampleChanges['container.created']);
    return Promise.resolve();
  });
}

/** 1,100 old events, then some that are not. */
async function grown(options: Partial<LedgerOptions> = {}): Promise<void> {
  ({ ledger, store } = await fixture.open(options));
  ids = [];
  await record(1_100);
  fixture.clock.advance(2 * hour);
  await record(100);
  await change();
  await ledger.integrate();
}

const old = () => fixture.clock.now() - hour;
async function pruned(): Promise<number> {
  await ledger.prune(by, old());
  return (await ledger.pruneArchive(by, old())).firstIndex;
}

const source = () => directorySource(fixture.logDirectory);
const verified = (key = fixture.signer.verifierKey) => verifyLog(source(), key);
const path = (name: string) => join(fixture.logDirectory, name);
const isThere = async (name: string) => (await source().read(name)) !== null;
const reasonOf = (verdict: LogVerdict) => (verdict.ok ? 'accepted' : verdict.reason);
const checkpoint = () => readFileSync(path('checkpoint'), 'utf8');

describe('a log that forgets its beginning', () => {
  it('loses whole old bundles and the tiles that nothing else needs, and says so first', async () => {
    await grown();
    const [first = '' as EventId, , , last = '' as EventId] = [ids[0], ids[1], ids[2], ids[1_030]];
    const [before, after] = [await ledger.receipt(first), await ledger.receipt(last)];
    const kept = checkpoint();
    expect(await pruned()).toBe(1_024);
    for (const index of ['000', '001', '002', '003']) {
      expect(await isThere(`tile/entries/${index}`)).toBe(false);
      expect(await isThere(`tile/0/${index}`)).toBe(false);
    }
    expect(await isThere('private/000')).toBe(false);
    await ledger.integrate();
    const verdict = await verified();
    expect(verdict).toMatchObject({
      ok: true,
      size: 1_203,
      firstIndex: 1_024,
      retention: { origin, kept: 1_024, policy: 'asked for by an operator' },
    });
    const { events } = await ledger.search({ action: 'lifecycle.prune-archive' }, { limit: 2 });
    expect(events.map(({ event }) => event)).toMatchObject([
      { unmapped: { lockstep: { detail: { firstIndex: '1024' } } } },
    ]);
    // What was handed out before still holds, and growth since a kept checkpoint can be shown.
    for (const receipt of [before, after]) {
      expect(verifyReceipt(receipt, null, fixture.signer.verifierKey)).toMatchObject({ ok: true });
    }
    expect(await verifyConsistency(source(), kept, fixture.signer.verifierKey)).toMatchObject({ ok: true });
    expect(verifyReceipt(await ledger.receipt(last), null, fixture.signer.verifierKey)).toMatchObject({
      ok: true,
    });
    await expect(ledger.receipt(first)).rejects.toMatchObject({ code: 'not_found' });
    await expect(ledger.receiptAt(5)).rejects.toMatchObject({ code: 'not_found' });
    await expect(ledger.disclosures(first)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('goes on growing, after a start too, and forgets more later', async () => {
    await grown();
    await pruned();
    await reopen();
    await record(600);
    await ledger.integrate();
    expect(await verified()).toMatchObject({ ok: true, firstIndex: 1_024, size: 1_803 });
    fixture.clock.advance(2 * hour);
    await record(1);
    await change();
    await ledger.integrate();
    expect(await pruned()).toBe(1_792);
    await ledger.integrate();
    expect(await verified()).toMatchObject({ ok: true, firstIndex: 1_792 });
    // The tree is made again from what is there: the rows, and tiles that reach beyond what is gone.
    await end();
    const partial = [...tilesOf(1_807)].filter((tile) => tile.width < 256 && tile.level === 'entries');
    for (const tile of partial) rmSync(path(tilePath(tile)), { force: true });
    ({ ledger, store } = await fixture.open());
    await record(3);
    await ledger.integrate();
    expect(await verified()).toMatchObject({ ok: true, firstIndex: 1_792 });
  });

  it('forgets nothing that has a row still, that is young, or under a legal hold', async () => {
    await grown();
    expect(await ledger.pruneArchive(by, old())).toEqual({ firstIndex: 0, entries: 0 });
    await ledger.prune(by, old());
    expect(await ledger.pruneArchive(by, old() - 4 * hour)).toEqual({ firstIndex: 0, entries: 0 });
    expect(await isThere('retention')).toBe(false);
    await reopen({ retention: { hold: true, policy: 'held' } });
    await expect(ledger.pruneArchive(by, old())).rejects.toMatchObject({ code: 'conflict' });
    expect(await verified()).toMatchObject({ ok: true, firstIndex: 0, retention: null });
  });

  it('cannot be replayed from its beginning, and says so', async () => {
    await grown();
    await pruned();
    const verdict = await replayLog(source(), fixture.signer.verifierKey, { onReplayed: () => undefined });
    expect(reasonOf(verdict)).toContain('does not keep its first 1024 entries');
  });

  it('says of a checkpoint from before what is kept that nothing can be shown from there', async () => {
    ({ ledger, store } = await fixture.open());
    ids = [];
    await record(100);
    await ledger.integrate();
    const early = checkpoint();
    await end();
    ({ ledger, store } = await fixture.open());
    await record(1_000);
    fixture.clock.advance(2 * hour);
    await change();
    await ledger.integrate();
    await pruned();
    const verdict = await verifyConsistency(source(), early, fixture.signer.verifierKey);
    expect(verdict.ok ? 'accepted' : verdict.reason).toContain('keep a newer checkpoint');
  });

  it('has its statement signed by the key that comes after', async () => {
    await grown();
    await pruned();
    const next = createSigner(generateNoteKey(origin).signingKey);
    await reopen({
      signer: { ...next, name: origin, retiredKeys: [fixture.signer.verifierKey] },
    });
    await record(1);
    await ledger.integrate();
    expect(reasonOf(await verified(next.verifierKey))).toContain('the retention statement is refused');
    await ledger.renewRetention();
    expect(await verified(next.verifierKey)).toMatchObject({ ok: true, firstIndex: 1_024 });
  });
});

describe('a verifier refuses', () => {
  beforeEach(async () => {
    await grown();
    await pruned();
    await ledger.integrate();
  });

  const statement = async (): Promise<Retention> => {
    const read = await readRetention(source(), fixture.signer.verifierKey);
    if (!read.ok || read.retention === null) throw new Error('there is no statement');
    return read.retention;
  };
  const state = (text: string, signer = fixture.signer) =>
    writeFileSync(path('retention'), signer.sign(text));

  it('a log whose beginning is missing without a statement', async () => {
    rmSync(path('retention'));
    expect(reasonOf(await verified())).toContain('tile/entries/000 is missing');
  });

  it('a statement by another key, by a stranger of the same name, or altered', async () => {
    const text = formatRetention(await statement());
    state(text, createSigner(generateNoteKey('someone.test/else').signingKey));
    expect(reasonOf(await verified())).toContain('the retention statement is refused');
    state(text, createSigner(generateNoteKey(origin).signingKey));
    expect(reasonOf(await verified())).toContain('the retention statement is refused');
    state(text);
    expect(await verified()).toMatchObject({ ok: true });
    const note = readFileSync(path('retention'), 'utf8');
    writeFileSync(path('retention'), note.replace('\n1024\n', '\n1280\n'));
    expect(reasonOf(await verified())).toContain('the retention statement is refused');
  });

  it('a statement that keeps more than is there, and a hole in what is kept', async () => {
    state(formatRetention({ ...(await statement()), kept: 768 }));
    expect(reasonOf(await verified())).toMatch(/tile\/0\/003|tile\/entries\/003/);
    state(formatRetention(await statement()));
    const bundles = [...tilesOf(1_204)].filter((tile) => tile.level === 'entries' && endOf(tile) > 1_024);
    for (const tile of bundles) rmSync(path(tilePath(tile)), { force: true });
    expect(reasonOf(await verified())).toContain('keeps everything from entry');
  });

  it('a statement of another log, of more than the log has, under another root, or not in form', async () => {
    const own = await statement();
    for (const wrong of [
      { ...own, size: 5_000 },
      { ...own, size: own.size - 1 },
      { ...own, root: Buffer.alloc(32, 7) },
      { ...own, origin: 'log.test/other' },
    ]) {
      state(formatRetention(wrong));
      expect(reasonOf(await verified())).toContain('the retention statement is');
    }
    const text = formatRetention(own);
    for (const wrong of [
      { ...own, kept: 1_000 },
      { ...own, kept: 5_120 },
      { ...own, policy: 'two\nlines' },
    ]) {
      expect(parseRetention(formatRetention(wrong))).toBeNull();
      state(formatRetention(wrong));
      expect(reasonOf(await verified())).toContain('is not in form');
    }
    expect(parseRetention(text)).toEqual({ ...own, root: own.root });
  });

  it('a statement in place of a checkpoint, and a checkpoint in place of a statement', async () => {
    const note = checkpoint();
    writeFileSync(path('checkpoint'), readFileSync(path('retention')));
    expect(reasonOf(await verified())).toContain('not a checkpoint');
    writeFileSync(path('checkpoint'), note);
    writeFileSync(path('retention'), note);
    expect(reasonOf(await verified())).toContain('not in form');
    const opened = openCheckpoint(note, fixture.signer.verifierKey);
    if (!opened.ok) throw new Error(opened.reason);
    expect(parseRetention(formatCheckpoint(opened.checkpoint))).toBeNull();
  });

  it('an entry that is kept and was altered', async () => {
    const partial = [...tilesOf(1_203)].find((tile) => tile.level === 'entries' && endOf(tile) > 1_024);
    if (partial === undefined) throw new Error('nothing is kept');
    const bytes = readFileSync(path(tilePath(partial)));
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    writeFileSync(path(tilePath(partial)), bytes);
    expect(await verified()).toMatchObject({ ok: false });
  });
});

describe('interrupted', () => {
  it.each(
    retentionSteps.flatMap((step) => (['before', 'after'] as const).map((moment) => [step, moment] as const)),
  )(
    'at %s, %s it takes effect, a log is left that verifies, and the next run removes the rest',
    async (step, moment) => {
      let left = step === 'retention.remove' ? 3 : 0;
      const fault: Fault = (at, when) => {
        if (at === step && when === moment && left-- === 0) throw new Error('cut off');
      };
      await grown({ fault });
      await ledger.prune(by, old());
      await expect(ledger.pruneArchive(by, old())).rejects.toThrow('cut off');
      expect(await verified()).toMatchObject({ ok: true });
      await reopen();
      await record(1);
      await ledger.integrate();
      expect(await verified()).toMatchObject({ ok: true });
      expect(await ledger.pruneArchive(by, old())).toMatchObject({ firstIndex: 1_024 });
      expect(await isThere('tile/entries/003')).toBe(false);
      await ledger.integrate();
      expect(await verified()).toMatchObject({ ok: true, firstIndex: 1_024 });
    },
  );
});
