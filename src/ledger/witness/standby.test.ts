import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import type { EventId } from '../../lib/ids.ts';
import { generateNoteKey } from '../note.ts';
import { directorySource } from '../sources/directory-source.ts';
import { decidedFact, LedgerFixture, origin } from '../testing/ledger-fixture.ts';
import { answering, WitnessHouse } from '../testing/witness-house.ts';
import { parsePolicy } from '../verify/policy.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';

const { signingKey } = generateNoteKey(origin);
let fixture: LedgerFixture;
let ada: WitnessHouse;
beforeEach(() => {
  fixture = new LedgerFixture(signingKey);
  ada = new WitnessHouse('ada');
});
afterEach(async () => {
  await ada.remove();
  fixture.remove();
});

it('a standby gives receipts of what the leading process has had cosigned, and goes on from there when that is killed', async () => {
  await ada.start([fixture.signer.verifierKey]);
  const answers: number[] = [];
  const relay = await answering(async (body) => {
    const answer = await fetch(`${ada.url}/add-checkpoint`, { method: 'POST', body });
    answers.push(answer.status);
    return { status: answer.status, body: await answer.text() };
  });
  const policyOf = (url: string) =>
    `log ${fixture.signer.verifierKey}\nwitness ada ${ada.verifierKey} ${url}\nquorum ada\n`;
  // The leading process asks the witness itself; what the standby asks goes by way of us.
  writeFileSync(join(fixture.home, 'witnesses.policy'), policyOf(ada.url));
  const parsed = parsePolicy(policyOf(relay.url));
  if (!parsed.ok) throw new Error(parsed.reason);
  const { policy } = parsed;
  const program = join(import.meta.dirname, '..', 'testing', 'appending-child.ts');
  const child = spawn(process.execPath, [program, fixture.home, signingKey], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const firstLine = once(lines, 'line') as Promise<[string]>;
  const checkpoint = () => readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
  try {
    const [theirs] = await firstLine;
    const { ledger, store } = await fixture.open({ clock: systemClock, witnesses: policy });
    const epoch = () => store.raw.prepare('select epoch from ledger_lease').get()?.['epoch'];
    try {
      // Of both processes, while the other leads: by its cosigned checkpoints, without asking the witness.
      for (const id of [theirs as EventId, await ledger.record(decidedFact())]) {
        const verdict = verifyReceipt(await ledger.receipt(id), null, policy);
        expect(verdict).toMatchObject({ ok: true, cosignatures: [{ witness: 'ada' }] });
      }
      expect((await ledger.receiptAt(0)).text).toContain('index 0\n');
      // On a machine so busy that the other could not renew its lease in time, this one has led meanwhile.
      if (epoch() === 1) expect(answers).toEqual([]);
      const before = checkpoint();
      child.kill('SIGKILL');
      await exited;
      const verdict = verifyReceipt(await ledger.receipt(await ledger.record(decidedFact())), null, policy);
      expect(verdict).toMatchObject({ ok: true, cosignatures: [{ witness: 'ada' }] });
      expect(await verifyConsistency(directorySource(fixture.logDirectory), before, policy)).toMatchObject({
        ok: true,
      });
      // It knew from the cosigned checkpoint what the witness held, but for one that was under way at the death.
      expect(answers.filter((status) => status === 409).length).toBeLessThanOrEqual(1);
      expect(answers).toContain(200);
      expect(ledger.witnessing()).toMatchObject({
        behind: 0,
        unmetSince: null,
        witnesses: [{ problem: null }],
      });
    } finally {
      await ledger.close();
      await store.close();
    }
  } finally {
    child.kill('SIGKILL');
    await relay.close();
  }
}, 60_000);
