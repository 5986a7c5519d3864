import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attribution, decidedFact, type LedgerFixture } from '../../src/ledger/testing/ledger-fixture.ts';
import { sampleChanges } from '../../src/ledger/testing/sample-facts.ts';

/** Lets the log of the fixture forget all but its newest entries. */
export async function pruneLog(
  fixture: LedgerFixture,
): Promise<{ readonly kept: number; readonly size: number }> {
  const by = attribution();
  const { ledger, store } = await fixture.open();
  fixture.clock.advance(3_600_000);
  await ledger.commit(by, (_tx, note) => {
    note(sampleChanges['container.created']);
    return Promise.resolve();
  });
  await Promise.all(Array.from({ length: 300 }, () => ledger.record(decidedFact())));
  await ledger.integrate();
  const before = fixture.clock.now() - 1_000;
  // Its pauses, in which others have their turn, keep no process alive.
  const alive = setInterval(() => undefined, 1_000);
  await ledger.prune(by, before);
  const { firstIndex } = await ledger.pruneArchive(by, before);
  clearInterval(alive);
  await ledger.integrate();
  await ledger.close();
  await store.close();
  const size = Number(readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8').split('\n')[1]);
  return { kept: firstIndex, size };
}
