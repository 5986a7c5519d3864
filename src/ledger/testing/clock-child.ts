// node clock-child.ts HOME SIGNING_KEY: records an event a line that it is sent; the file `offset` in HOME sets its clock, in milliseconds.
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { openSqliteStore } from '../../store/sqlite.ts';
import { openLedger } from '../open-ledger.ts';
import { createSigner } from '../note.ts';
import { decidedFact, origin, tenantId } from './ledger-fixture.ts';

const [home = '', signingKey = ''] = process.argv.slice(2);
const store = await openSqliteStore({ path: join(home, 'lockstep.db') });
const ledger = await openLedger({
  store,
  directory: join(home, 'ledger'),
  origin,
  signer: createSigner(signingKey),
  clock: {
    now: () => systemClock.now() + Number(readFileSync(join(home, 'offset'), 'utf8')),
    elapsed: () => systemClock.elapsed(),
  },
  log: createLog('silent'),
  productVersion: '0.0.0-test',
  tenantId,
});
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'record') await ledger.record(decidedFact());
  writeSync(1, `${ledger.lastSequence()}\n`);
}
await ledger.close();
await store.close();
