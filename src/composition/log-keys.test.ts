import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig, type Config } from '../config/load.ts';
import { generateNoteKey } from '../ledger/note.ts';
import { directorySource } from '../ledger/sources/directory-source.ts';
import { verifyLog } from '../ledger/verify/verify-log.ts';
import { createLog } from '../lib/log.ts';
import { systemAttribution } from '../store/changes.ts';
import { createFoundation, openFoundation } from './foundation.ts';

let home: string;
let config: Config;
const log = createLog('silent');

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-log-keys-'));
  config = loadConfig({ home, environment: {} });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('an installation from before keys could be exchanged goes on with its key, which leaves the place where it lay', async () => {
  const made = await createFoundation(config, log);
  const { store, sealer, ledger } = made;
  // As it was written before: nothing is signed yet, so that any key may be the first.
  await ledger.close();
  const row = store.raw.prepare(`select value from meta where key = 'identity'`).get();
  const identity = JSON.parse(String(row?.['value'])) as Record<string, string>;
  const former = generateNoteKey(identity['ledgerOrigin']!);
  const sealed = sealer.seal(former.signingKey, 'ledger signing key');
  store.raw
    .prepare(`update meta set value = ? where key = 'identity'`)
    .run(JSON.stringify({ ...identity, ledgerSigningKeySealed: sealed }));
  store.raw.exec('delete from ledger_key_secrets; delete from ledger_keys');
  rmSync(join(home, 'ledger'), { recursive: true });
  await made.close();

  for (let start = 0; start < 2; start++) {
    const foundation = await openFoundation(config, log);
    expect(foundation.ledger.verifierKey).toBe(former.verifierKey);
    await foundation.ledger.integrate();
    expect(await verifyLog(directorySource(foundation.ledgerDirectory), former.verifierKey)).toMatchObject({
      ok: true,
    });
    const kept = foundation.store.raw.prepare(`select value from meta where key = 'identity'`).get();
    expect(JSON.parse(String(kept?.['value']))).toEqual(identity);
    await foundation.close();
  }
  expect(readFileSync(join(home, 'lockstep.sqlite')).includes(sealed)).toBe(false);
});

test('a key signs for as long as the configuration says, then both, then the next one', async () => {
  const foundation = await createFoundation(config, log);
  const by = systemAttribution(foundation.tenantId, 'test');
  const first = foundation.ledger.verifierKey;
  await foundation.keyExchange.advance(by);
  expect(foundation.ledger.verifierKeys).toEqual([first]);
  await foundation.close();
  const hasty = { ...config, ledger: { ...config.ledger, keyDays: 1e-9, keyOverlapDays: 1 } };
  const again = await openFoundation(hasty, log);
  await again.keyExchange.advance(by);
  expect(again.ledger.verifierKeys).toEqual([expect.any(String), first]);
  await again.close();
});
