// node appending-child.ts HOME SIGNING_KEY [WHERE STEP MOMENT SKIP]: appends until it is killed, or kills itself at a step;
// WHERE it publishes: `within`, or in a `thread`. Its witnesses are those of the file `witnesses.policy` in HOME, if there is
// one.
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { openSqliteStore } from '../../store/sqlite.ts';
import { endingAt } from '../faults.ts';
import { openLedger } from '../open-ledger.ts';
import { createSigner } from '../note.ts';
import { parsePolicy } from '../verify/policy.ts';
import { attribution, decidedFact, origin, tenantId } from './ledger-fixture.ts';
import { sampleChanges } from './sample-facts.ts';

const [home = '', signingKey = '', where, step, moment, skip = '0'] = process.argv.slice(2);
const ending = { step: step ?? '', moment: moment ?? '', skip: Number(skip) };

const policyFile = join(home, 'witnesses.policy');
const parsed = existsSync(policyFile) ? parsePolicy(readFileSync(policyFile, 'utf8')) : null;
const store = await openSqliteStore({ path: join(home, 'lockstep.db') });
const ledger = await openLedger({
  store,
  directory: join(home, 'ledger'),
  origin,
  signer: createSigner(signingKey),
  clock: systemClock,
  log: createLog('silent'),
  productVersion: '0.0.0-test',
  tenantId,
  publishIntervalMilliseconds: 5,
  witnesses: parsed?.ok === true ? parsed.policy : null,
  inThread: where === 'thread',
  fault: endingAt(ending),
  threadEnding: ending,
});

const forgetting = step?.startsWith('retention.') === true;
let commits = 0;
async function append(): Promise<void> {
  for (;;) {
    const id = await ledger.record(decidedFact());
    writeSync(1, `${id}\n`);
    const key = `${process.pid}-${commits++}`;
    await ledger.commit(attribution(), async (tx, record) => {
      await tx.insertInto('meta').values({ key, value: 'x' }).execute();
      record(sampleChanges['container.created']);
    });
    writeSync(1, `${key}\n`);
  }
}

/** Erases whom everything is recorded of, again and again. */
async function erase(): Promise<void> {
  const [ada] = attribution().chain;
  for (;;) {
    await ledger.record(decidedFact());
    await ledger.erase(attribution(), { id: ada?.id ?? '', addresses: [] });
  }
}

/** Removes all rows that may go, and then lets the log forget them, again and again. */
async function forget(): Promise<void> {
  // What the ledger does in the background does not keep a process alive.
  setInterval(() => undefined, 1_000);
  for (;;) {
    const ids = await Promise.all(Array.from({ length: 600 }, () => ledger.record(decidedFact())));
    for (const id of ids) writeSync(1, `${id}\n`);
    await ledger.commit(attribution(), (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    await ledger.integrate();
    await ledger.prune(attribution(), Date.now() + 1);
    await ledger.pruneArchive(attribution(), Date.now() + 1);
  }
}

await Promise.all([
  ...Array.from({ length: forgetting ? 0 : 8 }, append),
  ...(step === 'erase.scrub' ? [erase()] : []),
  ...(forgetting ? [forget()] : []),
]);
