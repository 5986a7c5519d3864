import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { hkdfSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/load.ts';
import { Directory } from '../identity/directory/directory.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import { ensureFirstKey } from '../ledger/keys/first-key.ts';
import { KeyExchange } from '../ledger/keys/key-exchange.ts';
import { LogKeys } from '../ledger/keys/log-keys.ts';
import { lockHome, type HomeLock } from './home-lock.ts';
import { witnessesOf } from './witnesses.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { newGuid, type TenantId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { productVersion } from '../lib/version.ts';
import { createSealer, UnsealableError, type Sealer } from '../store/sealer.ts';
import { isDamage, openSqliteStore, type Store } from '../store/sqlite.ts';
import type { WorkspaceRef } from '../workspace/resource-ids.ts';
import { writeFileAtomically } from '../workspace/runners/local/job-directory.ts';

/** What stands under everything else: the store, its key, the ledger, the directory. */
export interface Foundation {
  readonly clock: Clock;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly ledgerDirectory: string;
  readonly logKeys: LogKeys;
  readonly keyExchange: KeyExchange;
  readonly directory: Directory;
  readonly tenantId: TenantId;
  readonly workspace: WorkspaceRef;
  readonly workspaceGuid: string;
  readonly storageAccount: string;
  /** Says where this process is reached, to whoever is refused its home. */
  readonly serves: HomeLock['serves'];
  /** 32 bytes for one purpose, out of the sealing key (HKDF-SHA-256, RFC 5869). */
  deriveKey(purpose: string): Uint8Array;
  /** Drains the ledger and lets go of the home. */
  close(): Promise<void>;
}

/** What the log says of what it does not keep. */
function retentionOf({ keepDays, hold }: Config['ledger']['retention']): { policy: string; hold: boolean } {
  const policy = keepDays === undefined ? 'asked for by an operator' : `events are kept for ${keepDays} days`;
  return { policy, hold };
}

export class NotInitialisedError extends Error {
  constructor(home: string) {
    super(`${home} holds no Lockstep state yet: run \`lockstep init\` first`);
    this.name = 'NotInitialisedError';
  }
}

const identitySchema = z.strictObject({
  tenantId: z.guid(),
  workspaceGuid: z.guid(),
  subscriptionId: z.guid(),
  resourceGroup: z.string(),
  workspaceName: z.string(),
  storageAccount: z.string(),
  ledgerOrigin: z.string(),
  /** Of installations from before the log could exchange its key: moved to a table of its own at the first start. */
  ledgerSigningKeySealed: z.string().exactOptional(),
});

const sealingKeyFile = 'seal.key';
const formerKeyContext = 'ledger signing key';
const dayMilliseconds = 86_400_000;

/**
 * Opens the state in the home directory. Throws NotInitialisedError when there is none, and an Error that says what
 * to do when another process holds it, its sealing key is missing or another's, or its database is damaged.
 */
export async function openFoundation(config: Config, log: Log): Promise<Foundation> {
  if (!existsSync(join(config.home, 'lockstep.sqlite'))) throw new NotInitialisedError(config.home);
  return assemble(config, log, false);
}

/** As openFoundation, but makes the keys, the tables and the identity of this installation where there are none. */
export async function createFoundation(config: Config, log: Log): Promise<Foundation> {
  mkdirSync(config.home, { recursive: true, mode: 0o700 });
  chmodSync(config.home, 0o700);
  return assemble(config, log, true);
}

async function assemble(config: Config, log: Log, mayCreate: boolean): Promise<Foundation> {
  const clock = systemClock;
  const lock = lockHome(config.home);
  try {
    const key = sealingKey(config.home, mayCreate);
    const sealer = createSealer(key);
    const store = await openSqliteStore({ path: join(config.home, 'lockstep.sqlite') });
    const identity = (await readIdentity(store)) ?? (mayCreate ? await createIdentity(store, config) : null);
    if (identity === null) throw new NotInitialisedError(config.home);
    const tenantId = identity.tenantId as TenantId;
    const ledgerDirectory = join(config.home, 'ledger');
    const logKeys = await openLogKeys(store, sealer, identity, clock);
    const ledger = await openLedger({
      store,
      directory: ledgerDirectory,
      origin: identity.ledgerOrigin,
      signer: logKeys,
      // Whoever only makes an installation has gone before a thread would be of use.
      inThread: !mayCreate,
      clock,
      log,
      productVersion,
      tenantId,
      publishIntervalMilliseconds: config.ledger.publishMilliseconds,
      retention: retentionOf(config.ledger.retention),
      witnesses: witnessesOf(
        config.ledger.witnessPolicy,
        logKeys.all.map(({ verifierKey }) => verifierKey),
      ),
    });
    const { keyDays, keyOverlapDays } = config.ledger;
    const keyExchange = new KeyExchange({
      store,
      sealer,
      keys: logKeys,
      commit: ledger.commit,
      clock,
      integrate: () => ledger.integrate(),
      checkpoint: () => ledger.checkpoint(),
      witnessesWithout: (signer) => ledger.witnessesWithout(signer),
      everyMilliseconds: keyDays === 0 ? null : keyDays * dayMilliseconds,
      overlapMilliseconds: keyOverlapDays * dayMilliseconds,
    });
    return {
      clock,
      store,
      sealer,
      ledger,
      ledgerDirectory,
      logKeys,
      keyExchange,
      directory: new Directory({ store, commit: ledger.commit, clock, tenantId }),
      tenantId,
      workspace: {
        subscriptionId: identity.subscriptionId,
        resourceGroup: identity.resourceGroup,
        name: identity.workspaceName,
      },
      workspaceGuid: identity.workspaceGuid,
      storageAccount: identity.storageAccount,
      deriveKey: (purpose) => new Uint8Array(hkdfSync('sha256', key, '', `lockstep ${purpose}`, 32)),
      serves: (url) => lock.serves(url),
      async close() {
        await ledger.close();
        await store.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw toldFailure(error, config.home);
  }
}

/** What an operator has to put back, where the state itself is at fault. */
function toldFailure(error: unknown, home: string): unknown {
  if (error instanceof UnsealableError) {
    const file = join(home, sealingKeyFile);
    const message = `the sealing key ${file} is not that of the database beside it: restore the one that belongs to it`;
    return new Error(message, { cause: error });
  }
  const root = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (!isDamage(root)) return error;
  const file = join(home, 'lockstep.sqlite');
  return new Error(
    `the database ${file} is damaged (${(root as Error).message}): restore it from your backup`,
    {
      cause: error,
    },
  );
}

function sealingKey(home: string, mayCreate: boolean): Uint8Array {
  const file = join(home, sealingKeyFile);
  if (existsSync(file)) {
    const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
    if (key.byteLength === 32) return key;
    throw new Error(`the sealing key ${file} is no key (32 bytes in base64url): restore it from your backup`);
  }
  if (!mayCreate || existsSync(join(home, 'lockstep.sqlite'))) {
    throw new Error(
      `the sealing key ${file} is missing: restore it from your backup; without it no secret can be opened`,
    );
  }
  const key = randomBytes(32);
  writeFileAtomically(file, key.toString('base64url') + '\n');
  return key;
}

type InstallationIdentity = z.output<typeof identitySchema>;

async function readIdentity(store: Store): Promise<InstallationIdentity | null> {
  const row = await store.db
    .selectFrom('meta')
    .select('value')
    .where('key', '=', 'identity')
    .executeTakeFirst();
  return row === undefined ? null : identitySchema.parse(JSON.parse(row.value));
}

async function openLogKeys(
  store: Store,
  sealer: Sealer,
  { ledgerSigningKeySealed: former, ...identity }: InstallationIdentity,
  clock: Clock,
): Promise<LogKeys> {
  const origin = identity.ledgerOrigin;
  await ensureFirstKey({
    store,
    sealer,
    origin,
    now: clock.now(),
    existing: former === undefined ? null : sealer.open(former, formerKeyContext),
    alongside: async (tx) => {
      await tx
        .updateTable('meta')
        .set({ value: canonicalJson(identity) })
        .where('key', '=', 'identity')
        .execute();
    },
  });
  return LogKeys.open({ store, sealer, origin });
}

async function createIdentity(store: Store, config: Config): Promise<InstallationIdentity> {
  const tenantId = newGuid();
  const ledgerOrigin = `lockstep.local/${tenantId}`;
  const identity: InstallationIdentity = {
    tenantId,
    workspaceGuid: newGuid(),
    subscriptionId: config.workspace.subscriptionId ?? newGuid(),
    resourceGroup: config.workspace.resourceGroup,
    workspaceName: config.workspace.name,
    storageAccount: config.workspace.storageAccount,
    ledgerOrigin,
  };
  await store.db
    .insertInto('meta')
    .values({ key: 'identity', value: canonicalJson(identity) })
    .execute();
  return identity;
}
