import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keySteps, storageSteps } from '../faults.ts';
import { directorySource } from '../sources/directory-source.ts';
import { openKeyHouse } from '../testing/key-house.ts';
import { attribution, decidedFact, LedgerFixture } from '../testing/ledger-fixture.ts';
import { walkKeys } from '../verify/key-history.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog } from '../verify/verify-log.ts';

let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture();
});
afterEach(() => fixture.remove());

const read = (name: string) => readFileSync(join(fixture.logDirectory, name), 'utf8');

/** Lets a child exchange its keys until it kills itself at a step; the events that it has acknowledged. */
async function exchangeUntilKilled(step: string, moment: string, skip: number): Promise<string[]> {
  const program = join(import.meta.dirname, '..', 'testing', 'exchanging-child.ts');
  const child = spawn(process.execPath, [program, fixture.home, step, moment, String(skip)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) acknowledged.push(line);
  expect((await exited)[1]).toBe('SIGKILL');
  return acknowledged;
}

// As the product runs. Within, the same steps are made to fail by the tests of the exchange.
describe('after kill -9 in the middle of an exchange of keys by one that publishes in its thread', () => {
  const steps = [...keySteps, ...storageSteps.filter((step) => /^(commit|published)\./.test(step))];
  it.each(steps.flatMap((step) => (['before', 'after'] as const).map((moment) => [step, moment] as const)))(
    'at %s, %s it takes effect: the log goes on under a key that the first one leads to, with nothing lost and no fork',
    async (step, moment) => {
      const begun = await openKeyHouse(fixture.home);
      const first = begun.ledger.verifierKey;
      await begun.ledger.record(decidedFact());
      await begun.close();
      const kept = read('checkpoint');
      const acknowledged = await exchangeUntilKilled(step, moment, randomInt(3));
      const killedAt = read('checkpoint');

      const house = await openKeyHouse(fixture.home);
      await house.exchange.advance(attribution());
      await house.ledger.record(decidedFact());
      await house.ledger.integrate();
      // Killed before the first exchange, the log has one key.
      const history = house.keys.all.length === 1 ? '' : read('key-history');
      const walk = walkKeys(history, [first]);
      if (!walk.ok) throw new Error(walk.reason);
      expect(house.ledger.verifierKeys).toContain(walk.current);
      const source = directorySource(fixture.logDirectory);
      const feed = await house.ledger.eventsAfter(0, 1_000_000);
      expect(await verifyLog(source, walk.keys)).toMatchObject({ ok: true, size: feed.length });
      for (const note of [kept, killedAt]) {
        expect(await verifyConsistency(source, note, walk.keys)).toMatchObject({ ok: true });
      }
      const present = new Set(feed.map(({ id }): string => id));
      expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
      // No private half without a key that is to sign, and none the other way round.
      const secrets = house.store.raw.prepare('select verifier_key from ledger_key_secrets').all();
      expect(secrets.map((row) => String(row['verifier_key'])).sort()).toEqual(
        [...house.ledger.verifierKeys].sort(),
      );
      await house.close();
    },
    60_000,
  );
});
