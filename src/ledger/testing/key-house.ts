import { join } from 'node:path';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { createSealer } from '../../store/sealer.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import type { Fault } from '../faults.ts';
import { ensureFirstKey } from '../keys/first-key.ts';
import { KeyExchange, type KeyExchangeOptions } from '../keys/key-exchange.ts';
import { LogKeys } from '../keys/log-keys.ts';
import type { Ledger, LedgerOptions } from '../ledger.ts';
import { openLedger } from '../open-ledger.ts';
import { origin, tenantId } from './ledger-fixture.ts';

export interface KeyHouse {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly keys: LogKeys;
  readonly exchange: KeyExchange;
  close(): Promise<void>;
}

export const sealingKey = Buffer.alloc(32, 7);

/** A ledger whose keys are in its database, as the server has it. */
export async function openKeyHouse(
  home: string,
  options: {
    readonly clock?: Clock;
    readonly fault?: Fault;
    readonly ledger?: Partial<LedgerOptions>;
    readonly exchange?: Partial<KeyExchangeOptions>;
  } = {},
): Promise<KeyHouse> {
  const { clock = systemClock, fault } = options;
  const store = await openSqliteStore({ path: join(home, 'lockstep.db') });
  const sealer = createSealer(sealingKey);
  await ensureFirstKey({
    store,
    sealer,
    origin,
    now: clock.now(),
    existing: null,
    alongside: () => Promise.resolve(),
  });
  const keys = await LogKeys.open({ store, sealer, origin });
  const ledger = await openLedger({
    store,
    directory: join(home, 'ledger'),
    origin,
    signer: keys,
    clock,
    log: createLog('silent'),
    productVersion: '0.0.0-test',
    tenantId,
    publishIntervalMilliseconds: 5,
    ...(fault !== undefined && { fault }),
    ...options.ledger,
  });
  const exchange = new KeyExchange({
    store,
    sealer,
    keys,
    commit: ledger.commit,
    clock,
    integrate: () => ledger.integrate(),
    checkpoint: () => ledger.checkpoint(),
    witnessesWithout: (signer) => ledger.witnessesWithout(signer),
    everyMilliseconds: null,
    overlapMilliseconds: 0,
    ...(fault !== undefined && { fault }),
    ...options.exchange,
  });
  return {
    store,
    ledger,
    keys,
    exchange,
    close: async () => {
      await ledger.close();
      await store.close();
    },
  };
}
