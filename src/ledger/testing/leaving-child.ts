// node leaving-child.ts HOME: records an event, has it published by a thread, and has nothing more to do.
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { join } from 'node:path';
import { openSqliteStore } from '../../store/sqlite.ts';
import { openLedger } from '../open-ledger.ts';
import { createSigner, generateNoteKey } from '../note.ts';
import { decidedFact, origin, tenantId } from './ledger-fixture.ts';

const [home = ''] = process.argv.slice(2);
const ledger = await openLedger({
  store: await openSqliteStore({ path: join(home, 'lockstep.db') }),
  directory: join(home, 'ledger'),
  origin,
  signer: createSigner(generateNoteKey(origin).signingKey),
  clock: systemClock,
  log: createLog('silent'),
  productVersion: '0.0.0-test',
  tenantId,
  inThread: true,
});
await ledger.record(decidedFact());
await ledger.integrate();
