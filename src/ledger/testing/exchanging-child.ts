// node exchanging-child.ts HOME STEP MOMENT SKIP: appends and exchanges its key without end, until it kills itself at a step.
import { writeSync } from 'node:fs';
import { endingAt } from '../faults.ts';
import { attribution, decidedFact } from './ledger-fixture.ts';
import { openKeyHouse } from './key-house.ts';

const [home = '', step = '', moment = '', skip = '0'] = process.argv.slice(2);
const ending = { step, moment, skip: Number(skip) };

const { ledger, exchange } = await openKeyHouse(home, {
  fault: endingAt(ending),
  ledger: { inThread: true, threadEnding: ending },
  exchange: { everyMilliseconds: 20, overlapMilliseconds: 10 },
});

async function append(): Promise<void> {
  for (;;) writeSync(1, `${await ledger.record(decidedFact())}\n`);
}

async function exchangeKeys(): Promise<void> {
  for (;;) {
    await exchange.advance(attribution());
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

await Promise.all([append(), append(), exchangeKeys()]);
