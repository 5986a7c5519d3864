import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, systemClock, type Clock } from '../../lib/clock.ts';
import { newEventId, newGuid, type PrincipalId, type TenantId } from '../../lib/ids.ts';
import {
  systemAttribution,
  type Change,
  type Commit,
  type CommitGuard,
  type Follower,
  type PrincipalRecord,
} from '../../store/changes.ts';
import { createSealer } from '../../store/sealer.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import { Directory } from '../directory/directory.ts';
import { Liveness } from '../liveness.ts';
import { TokenIssuer } from '../tokens/issue.ts';
import { SigningKeys } from '../tokens/signing-keys.ts';
import { tokenKeyKind, type TokenJwk } from '../tokens/token-key-kind.ts';
import { TokenVerifier } from '../tokens/verify.ts';

export const tenantId = '11111111-2222-4333-8444-555555555555' as TenantId;
export const publicUrl = 'https://localhost:8443';
export const issuer = `${publicUrl}/${tenantId}/v2.0`;
export const by = systemAttribution(tenantId, 'tests');
export const sealer = createSealer(Buffer.alloc(32, 7));

/** 2027-01-15, a time that no test depends on. */
export const startOfTests = 1_800_000_000_000;

/** The transaction half of the ledger: rows and changes together or not at all, followers after the commit. */
export class ChangeFeed {
  readonly changes: Change[] = [];
  readonly #followers: Follower[] = [];
  readonly #guards: CommitGuard[] = [];
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  readonly commit: Commit = async (_attribution, work) => {
    const recorded: Change[] = [];
    const result = await this.#store.db.transaction().execute(async (tx) => {
      const done = await work(tx, (change) => {
        recorded.push(change);
      });
      for (const guard of this.#guards) await guard(tx, recorded);
      return done;
    });
    const first = this.changes.length;
    this.changes.push(...recorded);
    for (const follower of this.#followers)
      follower(
        recorded.map((change, i) => ({
          sequence: first + i + 1,
          previous: first + i,
          change,
          event: newEventId(0),
        })),
      );
    return result;
  };

  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  guard(guard: CommitGuard): void {
    this.#guards.push(guard);
  }

  kinds(): string[] {
    return this.changes.map((change) => change.kind);
  }
}

export interface IdentityRoom {
  readonly store: Store;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly manualClock: ManualClock;
  readonly directory: Directory;
  readonly liveness: Liveness;
  readonly keys: SigningKeys<TokenJwk>;
  readonly tokens: TokenIssuer;
  readonly verifier: TokenVerifier;
  person(name: string): Promise<PrincipalRecord>;
  application(name: string, sponsorId: PrincipalId): Promise<PrincipalRecord>;
  close(): Promise<void>;
}

export const testRotation = { signSeconds: 86_400, publishAheadSeconds: 3600, longestTokenSeconds: 7200 };

/** The whole room on a store in a temporary directory. `time: 'real'` for tests with unmodified clients. */
export async function openIdentityRoom(
  options: { readonly time?: 'manual' | 'real'; readonly publicUrl?: string } = {},
): Promise<IdentityRoom> {
  const home = await mkdtemp(join(tmpdir(), 'lockstep-identity-'));
  const store = await openSqliteStore({ path: join(home, 'store.db'), dangerouslyNotDurable: true });
  const feed = new ChangeFeed(store);
  const manualClock = new ManualClock(startOfTests);
  const clock = options.time === 'real' ? systemClock : manualClock;
  const directory = new Directory({ store, commit: feed.commit, clock, tenantId });
  const liveness = await Liveness.load(store, clock);
  feed.follow(liveness.follower);
  const keys = await SigningKeys.open({
    kind: tokenKeyKind,
    store,
    commit: feed.commit,
    clock,
    sealer,
    tenantId,
    rotation: testRotation,
  });
  const ownIssuer = `${options.publicUrl ?? publicUrl}/${tenantId}/v2.0`;
  const parts = { keys, issuer: ownIssuer, tenantId, clock };
  return {
    store,
    feed,
    clock,
    manualClock,
    directory,
    liveness,
    keys,
    tokens: new TokenIssuer(parts),
    verifier: new TokenVerifier(parts),
    person: (name) =>
      directory.createUser(by, {
        displayName: name,
        userPrincipalName: `${name.toLowerCase()}.${newGuid().slice(0, 8)}@lab`,
      }),
    application: (displayName, sponsorId) => directory.createApplication(by, { displayName, sponsorId }),
    async close() {
      await store.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
