import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import type { Store } from '../../store/sqlite.ts';
import { cosignedSteps, type StorageStep } from '../faults.ts';
import type { Ledger } from '../ledger.ts';
import { createCosigner, generateNoteKey } from '../note.ts';
import { directorySource } from '../sources/directory-source.ts';
import { decidedFact, LedgerFixture } from '../testing/ledger-fixture.ts';
import { answering, WitnessHouse } from '../testing/witness-house.ts';
import { parsePolicy, type Policy } from '../verify/policy.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { parseAddCheckpoint } from './add-checkpoint.ts';
import { askWitness } from './ask-witness.ts';

let fixture: LedgerFixture;
let ada: WitnessHouse;
let bea: WitnessHouse;
const undo: (() => Promise<void>)[] = [];

beforeEach(() => {
  fixture = new LedgerFixture();
  ada = new WitnessHouse('ada');
  bea = new WitnessHouse('bea');
});

afterEach(async () => {
  for (const work of undo.splice(0).reverse()) await work();
  await ada.remove();
  await bea.remove();
  fixture.remove();
});

interface Named {
  readonly name: string;
  readonly verifierKey: string;
  readonly url: string;
}

function quorumOf(count: number, ...witnesses: readonly Named[]): Policy {
  const lines = witnesses.map(({ name, verifierKey, url }) => `witness ${name} ${verifierKey} ${url}`);
  const group = `group all-of-them ${count} ${witnesses.map(({ name }) => name).join(' ')}`;
  const log = `log ${fixture.signer.verifierKey}`;
  const parsed = parsePolicy([log, ...lines, group, 'quorum all-of-them', ''].join('\n'));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.policy;
}

/** Fails at the n-th passing of one step once it is armed, before or after it has taken effect. */
function failingOnce(step: StorageStep, moment: 'before' | 'after', skip: number) {
  let left = skip;
  const fault = Object.assign(
    (at: StorageStep, when: 'before' | 'after') => {
      if (fault.fired || at !== step || when !== moment || left-- > 0) return;
      fault.fired = true;
      throw new Error(`${step} failed ${moment} it took effect`);
    },
    { fired: false },
  );
  return fault;
}

async function open(policy: Policy): Promise<{ ledger: Ledger; store: Store; close: () => Promise<void> }> {
  const opened = await fixture.open({ witnesses: policy });
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await opened.ledger.close();
    await opened.store.close();
  };
  undo.push(close);
  return { ...opened, close };
}

const checkpoint = () => readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
const logHere = () => directorySource(fixture.logDirectory);
const sizeOf = (note: string) => Number(note.split('\n')[1]);

describe('a storage step of what is cosigned that fails', () => {
  const moments = ['before', 'after'] as const;

  it.each(cosignedSteps.flatMap((step) => moments.map((moment) => [step, moment] as const)))(
    '%s, %s it takes effect: it is tried again; nothing that lacks the quorum or is older is ever shown',
    async (step, moment) => {
      await ada.start([fixture.signer.verifierKey]);
      const policy = quorumOf(1, ada);
      const fault = failingOnce(step, moment, 1);
      const { ledger, store } = await fixture.open({ witnesses: policy, fault });
      const sizes: number[] = [];
      const look = async () => {
        const verdict = await verifyLog(logHere(), policy);
        if (!verdict.ok) throw new Error(verdict.reason);
        sizes.push(verdict.size);
      };
      await ledger.receipt(await ledger.record(decidedFact()));
      for (let i = 0; i < 3; i++) {
        const id = await ledger.record(decidedFact());
        const receipt = await ledger.receipt(id);
        expect(verifyReceipt(receipt, null, policy)).toMatchObject({ ok: true, index: i + 1 });
        await look();
      }
      expect(fault.fired).toBe(true);
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
      expect(ledger.witnessing()).toMatchObject({ size: 4, behind: 0, unmetSince: null });
      // Without close: the process has ended here.
      await store.close();
      const again = await open(policy);
      expect(again.ledger.checkpoint()).toBe(checkpoint());
      await again.ledger.receipt(await again.ledger.record(decidedFact()));
      await look();
      expect(sizes.at(-1)).toBe(5);
    },
    20_000,
  );

  it.each(moments)(
    'of the witness, %s it takes effect: it cosigns nothing that it does not hold, and goes on from what it holds',
    async (moment) => {
      const fault = failingOnce('witness.commit', moment, 1);
      await ada.start([fixture.signer.verifierKey], systemClock, fault);
      const policy = quorumOf(1, ada);
      const { ledger } = await open(policy);
      for (let i = 0; i < 4; i++) {
        const receipt = await ledger.receipt(await ledger.record(decidedFact()));
        expect(verifyReceipt(receipt, null, policy)).toMatchObject({ ok: true, index: i });
      }
      expect(fault.fired).toBe(true);
      expect(ledger.witnessing()?.witnesses).toMatchObject([{ problem: null, size: 4 }]);
    },
    20_000,
  );
});

describe('a log with witnesses', () => {
  it('publishes checkpoints with the cosignatures of the quorum, within two seconds of an event', async () => {
    await ada.start([fixture.signer.verifierKey]);
    await bea.start([fixture.signer.verifierKey]);
    const policy = quorumOf(2, ada, bea);
    const { ledger } = await open(policy);
    for (let i = 1; i <= 5; i++) {
      const began = performance.now();
      const id = await ledger.record(decidedFact());
      const receipt = await ledger.receipt(id);
      expect(performance.now() - began).toBeLessThan(2_000);
      const verdict = verifyReceipt(receipt, null, policy);
      expect(verdict).toMatchObject({ ok: true, index: i - 1 });
      expect(verdict.ok ? verdict.cosignatures.map(({ witness }) => witness) : []).toEqual(['ada', 'bea']);
    }
    expect(await verifyLog(logHere(), policy)).toMatchObject({ ok: true, size: 5 });
    expect(await verifyLog(logHere(), fixture.signer.verifierKey)).toMatchObject({ ok: true, size: 5 });
    expect(ledger.witnessing()).toMatchObject({ size: 5, behind: 0, unmetSince: null });
  });

  it('goes on recording without the quorum, keeps the last cosigned checkpoint, and catches up', async () => {
    await ada.start([fixture.signer.verifierKey]);
    await bea.start([fixture.signer.verifierKey]);
    const policy = quorumOf(2, ada, bea);
    const { ledger } = await open(policy);
    const first = await ledger.record(decidedFact());
    await ledger.receipt(first);
    await bea.stop();
    const began = performance.now();
    const second = await ledger.record(decidedFact());
    // A receipt would have waited three seconds for the witnesses.
    expect(performance.now() - began).toBeLessThan(2_000);
    await ledger.integrate();
    await expect(ledger.receipt(second)).rejects.toMatchObject({ code: 'not_witnessed', status: 503 });
    expect(sizeOf(checkpoint())).toBe(1);
    expect(await verifyLog(logHere(), policy)).toMatchObject({ ok: true, size: 1 });
    // What was witnessed before still has its receipt.
    expect(verifyReceipt(await ledger.receipt(first), null, policy)).toMatchObject({ ok: true });
    const state = ledger.witnessing();
    expect(state).toMatchObject({ size: 1, behind: 1, unmetSince: expect.any(Number) as number });
    expect(state?.witnesses.find(({ name }) => name === 'bea')?.problem).not.toBeNull();
    expect(ledger.health()).toEqual({ state: 'ok' });
    await bea.start([fixture.signer.verifierKey]);
    await vi.waitFor(() => expect(ledger.witnessing()).toMatchObject({ size: 2, unmetSince: null }), 15_000);
    expect(verifyReceipt(await ledger.receipt(second), null, policy)).toMatchObject({ ok: true });
  });

  it('needs no more than the quorum, and takes a late cosignature up as well', async () => {
    await ada.start([fixture.signer.verifierKey]);
    await bea.start([fixture.signer.verifierKey]);
    const late = Promise.withResolvers<undefined>();
    const relay = await answering(async (body) => {
      const answer = await fetch(`${bea.url}/add-checkpoint`, { method: 'POST', body });
      const text = await answer.text();
      await late.promise;
      return { status: answer.status, body: text };
    });
    undo.push(() => {
      late.resolve(undefined);
      return relay.close();
    });
    const policy = quorumOf(1, ada, { ...relay, name: 'bea', verifierKey: bea.verifierKey });
    const { ledger } = await open(policy);
    await ledger.receipt(await ledger.record(decidedFact()));
    expect(checkpoint()).not.toContain('— witness.test/bea');
    late.resolve(undefined);
    await vi.waitFor(() => expect(checkpoint()).toContain('— witness.test/bea'), 15_000);
  });

  it('resends from the size that a witness names: after a restart, and after answers that were lost', async () => {
    await ada.start([fixture.signer.verifierKey]);
    const sent: number[] = [];
    let lose = false;
    const relay = await answering(async (body) => {
      sent.push(parseAddCheckpoint(body)?.oldSize ?? -1);
      const answer = await fetch(`${ada.url}/add-checkpoint`, { method: 'POST', body });
      const text = await answer.text();
      return lose ? { status: 502, body: '' } : { status: answer.status, body: text };
    });
    undo.push(() => relay.close());
    const policy = quorumOf(1, { ...relay, name: 'ada', verifierKey: ada.verifierKey });
    const { ledger } = await open(policy);
    await ledger.receipt(await ledger.record(decidedFact()));
    lose = true;
    const lost = await ledger.record(decidedFact());
    await vi.waitFor(() => expect(ledger.witnessing()?.witnesses[0]?.problem).toContain('502'), 15_000);
    await ledger.record(decidedFact());
    await ledger.integrate();
    lose = false;
    await vi.waitFor(() => expect(ledger.witnessing()).toMatchObject({ size: 3 }), 10_000);
    expect(verifyReceipt(await ledger.receipt(lost), null, policy)).toMatchObject({ ok: true });
    // From 1 as we knew it, then from 2, which it named.
    expect(sent.at(-1)).toBeGreaterThanOrEqual(2);
  });

  it('notices by a witness that it was set back to an older copy of itself, and cannot fork', async () => {
    await ada.start([fixture.signer.verifierKey]);
    const policy = quorumOf(1, ada);
    const before = await open(policy);
    await before.ledger.receipt(await before.ledger.record(decidedFact()));
    await before.close();
    const copy = new LedgerFixture();
    cpSync(fixture.home, copy.home, { recursive: true });
    const now = await open(policy);
    await now.ledger.receipt(await now.ledger.record(decidedFact()));
    const honest = checkpoint();
    await now.ledger.receipt(await now.ledger.record(decidedFact()));
    await now.close();
    // The older copy, database and directory together, under the same key.
    cpSync(copy.home, fixture.home, { recursive: true, force: true });
    copy.remove();
    const forked = await open(policy);
    const other = await forked.ledger.record(decidedFact({ path: '/another/history' }));
    await forked.ledger.integrate();
    await expect(forked.ledger.receipt(other)).rejects.toMatchObject({ code: 'not_witnessed' });
    expect(forked.ledger.witnessing()?.witnesses[0]?.problem).toContain('the log was set back');
    // Grown beyond what the witness has seen, it is another history all the same.
    for (let i = 0; i < 3; i++) await forked.ledger.record(decidedFact({ path: '/another/history' }));
    await forked.ledger.integrate();
    await vi.waitFor(
      () => expect(forked.ledger.witnessing()?.witnesses[0]?.problem).toContain('not consistent'),
      15_000,
    );
    expect(sizeOf(checkpoint())).toBe(1);
    expect(await verifyConsistency(logHere(), honest, policy)).toMatchObject({ ok: false });
  });

  it('publishes what is signed once it has no witnesses any more, and begins with them where it stands', async () => {
    await ada.start([fixture.signer.verifierKey]);
    const policy = quorumOf(1, ada);
    const plain = await fixture.open();
    await plain.ledger.record(decidedFact());
    await plain.ledger.close();
    await plain.store.close();
    const witnessed = await open(policy);
    await vi.waitFor(() => expect(checkpoint()).toContain('witness.test/ada'), 15_000);
    await ada.stop();
    await witnessed.ledger.record(decidedFact());
    await witnessed.close();
    expect(sizeOf(checkpoint())).toBe(1);
    const again = await fixture.open();
    expect(sizeOf(checkpoint())).toBe(2);
    expect(existsSync(join(fixture.logDirectory, 'checkpoint.signed'))).toBe(false);
    expect(await verifyLog(logHere(), fixture.signer.verifierKey)).toMatchObject({ ok: true, size: 2 });
    await again.ledger.close();
    await again.store.close();
  });
});

describe('asking a witness', () => {
  const { signingKey, verifierKey } = generateNoteKey('witness.test/eve', 'cosignature');
  const eve = createCosigner(signingKey);
  const other = 'log.test/other\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n';
  const textOf = (body: string) => {
    const note = parseAddCheckpoint(body)?.checkpoint ?? '';
    return note.slice(0, note.lastIndexOf('\n\n') + 1);
  };
  const ask = async (status: number, answer: (body: string) => string, milliseconds = 2_000) => {
    const server = await answering((body) => ({ status, body: answer(body) }));
    undo.push(() => server.close());
    const checkpoint = fixture.signer.sign(
      `${fixture.signer.name}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n`,
    );
    const signal = AbortSignal.timeout(milliseconds);
    return askWitness({ url: server.url, verifierKey }, { oldSize: 0, proof: [], checkpoint }, signal);
  };

  it('takes the one line that verifies under its key, and no other', async () => {
    const answer = await ask(
      200,
      (body) =>
        eve.cosign(textOf(body), 5) +
        createCosigner(generateNoteKey('witness.test/unknown', 'cosignature').signingKey).cosign(
          textOf(body),
          5,
        ),
    );
    expect(answer).toMatchObject({ kind: 'cosigned', time: 5 });
    expect(answer.kind === 'cosigned' ? answer.line : '').toMatch(/^— witness\.test\/eve \S+$/);
  });

  it.each<[string, (body: string) => string]>([
    ['nothing', () => ''],
    ['something else', () => 'ok\n'],
    ['a cosignature of another text', () => eve.cosign(other, 5)],
    ['a note of its own behind ours', (body) => `${body}\n\n${other}\n${eve.cosign(other, 5)}`],
    ['a line break that would end the text sooner', () => `\n${eve.cosign('\n', 5)}`],
    ['a cosignature without a time', (body) => eve.cosign(textOf(body), 0)],
    ['a cosignature under another name', (body) => eve.cosign(textOf(body), 5).replace('eve', 'ada')],
    ['a good line and a bad one', (body) => eve.cosign(textOf(body), 5) + eve.cosign(other, 5)],
    ['more than it may', () => 'x'.repeat(100_000)],
  ])('lets no answer spoil the checkpoint: %s', async (_what, answer) => {
    expect(await ask(200, answer)).toMatchObject({ kind: 'failed' });
  });

  it.each([
    [400, 'refused'],
    [403, 'refused'],
    [404, 'refused'],
    [422, 'refused'],
    [500, 'failed'],
    [302, 'failed'],
  ])('tells %i from what was not understood', async (status, kind) => {
    expect(await ask(status, () => 'no\n')).toMatchObject({ kind });
  });

  it.each([
    ['17\n', { kind: 'conflict', size: 17 }],
    ['017\n', { kind: 'failed' }],
    ['17', { kind: 'failed' }],
    ['-1\n', { kind: 'failed' }],
    ['99999999999999999999\n', { kind: 'failed' }],
  ])('reads the size in a 409 of %j strictly', async (body, expected) => {
    expect(await ask(409, () => body)).toMatchObject(expected);
  });
});
