import { join } from 'node:path';
import type { Ledger, LedgerOptions } from '../src/ledger/ledger.ts';
import { openLedger } from '../src/ledger/open-ledger.ts';
import { createSigner, generateNoteKey } from '../src/ledger/note.ts';
import { tenantId } from '../src/ledger/testing/ledger-fixture.ts';
import { systemClock } from '../src/lib/clock.ts';
import { createLog } from '../src/lib/log.ts';
import { openSqliteStore, type Store } from '../src/store/sqlite.ts';

/** A ledger that is measured, and the store beneath it. */
export interface LedgerHouse {
  readonly store: Store;
  readonly ledger: Ledger;
  /** Where it publishes. */
  readonly directory: string;
}

/** Opens a new one in `home`, as the product does; both are to be closed, the ledger first. */
export async function openLedgerHouse(
  home: string,
  name: string,
  more: Partial<LedgerOptions> = {},
): Promise<LedgerHouse> {
  const origin = `lockstep.bench/${name}`;
  const store = await openSqliteStore({ path: join(home, 'lockstep.db') });
  const directory = join(home, 'ledger');
  const ledger = await openLedger({
    store,
    directory,
    origin,
    signer: createSigner(generateNoteKey(origin).signingKey),
    clock: systemClock,
    log: createLog('error'),
    productVersion: 'bench',
    tenantId,
    inThread: true,
    ...more,
  });
  return { store, ledger, directory };
}
