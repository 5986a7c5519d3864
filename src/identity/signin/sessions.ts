import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import { newSessionId, type PrincipalId, type SessionId, type TenantId } from '../../lib/ids.ts';
import {
  systemAttribution,
  type Attribution,
  type Change,
  type Commit,
  type Follower,
  type SessionRecord,
  type Tx,
} from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';
import type { Store } from '../../store/sqlite.ts';
import type { CookieKeys } from './cookie-keys.ts';

/** `__Host-`: only over TLS, only for this host, never set by a sibling (RFC 6265bis §4.1.3.2). */
export const sessionCookieName = '__Host-lockstep-session';

const cookiePurpose = 'session-cookie';
const textList = z.array(z.string());

export interface SessionsOptions {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly keys: CookieKeys;
  readonly tenantId: TenantId;
  /** Longest life of a sign-in. */
  readonly absoluteMilliseconds: number;
  /** A sign-in unused for so long is over. */
  readonly idleMilliseconds: number;
}

export interface SignIn {
  readonly principalId: PrincipalId;
  /** RFC 8176. */
  readonly authenticationMethods: readonly string[];
  readonly sourceAddress: string | null;
  readonly userAgent: string | null;
}

/** A sign-in as its owner sees it. */
export interface OpenSession extends SessionRecord {
  readonly sourceAddress: string | null;
  readonly userAgent: string | null;
  /** Milliseconds since the epoch. */
  readonly lastSeenAt: number;
}

interface Entry {
  readonly record: SessionRecord;
  readonly sourceAddress: string | null;
  readonly userAgent: string | null;
  lastSeenAt: number;
  /** `lastSeenAt` is newer than what the row says. */
  unsaved: boolean;
}

/**
 * Sign-ins of people, kept on the server. A cookie only names one; what it is worth is looked up in memory,
 * which follows the feed of changes, so that an ended session is refused on the very next request.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #open = new Map<SessionId, Entry>();

  private constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Reads what is open. Subscribe `follower` to the feed before the first request. */
  static async load(options: SessionsOptions): Promise<Sessions> {
    const sessions = new Sessions(options);
    const rows = await options.store.db
      .selectFrom('sessions')
      .innerJoin('principals', 'principals.id', 'sessions.principal_id')
      .selectAll('sessions')
      .where('sessions.ended_at', 'is', null)
      .where('principals.enabled', '=', 1)
      .execute();
    for (const row of rows) sessions.#open.set(row.id as SessionId, toEntry(row));
    return sessions;
  }

  readonly follower: Follower = (committed) => {
    for (const { change } of committed) this.#apply(change);
  };

  /** Begins a session with an id that nobody can have known before (no fixation). */
  async open(by: Attribution, signIn: SignIn): Promise<{ session: SessionRecord; cookie: string }> {
    const { commit, clock, absoluteMilliseconds } = this.#options;
    const now = clock.now();
    const session: SessionRecord = {
      id: newSessionId(now),
      principalId: signIn.principalId,
      createdAt: now,
      expiresAt: now + absoluteMilliseconds,
      authenticationMethods: signIn.authenticationMethods,
    };
    const userAgent = signIn.userAgent?.slice(0, 512) ?? null;
    await commit({ ...by, sessionId: session.id }, async (tx, record) => {
      await tx
        .insertInto('sessions')
        .values({
          id: session.id,
          principal_id: session.principalId,
          created_at: now,
          expires_at: session.expiresAt,
          ended_at: null,
          end_reason: null,
          amr_json: canonicalJson(session.authenticationMethods),
          source_address: signIn.sourceAddress,
          user_agent: userAgent,
          last_seen_at: now,
        })
        .execute();
      record({ kind: 'session.opened', session });
    });
    this.#open.set(session.id, {
      record: session,
      sourceAddress: signIn.sourceAddress,
      userAgent,
      lastSeenAt: now,
      unsaved: false,
    });
    return { session, cookie: `${session.id}.${this.#options.keys.tag(cookiePurpose, session.id)}` };
  }

  /** The open session that a cookie's value names, and notes that it was used; null for anything else. */
  fromCookie(value: string): SessionRecord | null {
    const [id, tag, ...rest] = value.split('.');
    if (id === undefined || tag === undefined || rest.length > 0) return null;
    if (!this.#options.keys.verify(cookiePurpose, id, tag)) return null;
    return this.touch(id as SessionId);
  }

  /** The session if it is open, without counting as use. */
  find(id: SessionId): SessionRecord | null {
    const entry = this.#open.get(id);
    return entry !== undefined && this.#lapse(entry) === null ? entry.record : null;
  }

  /** The session if it is open; this use starts its idle time anew. */
  touch(id: SessionId): SessionRecord | null {
    const entry = this.#open.get(id);
    if (entry === undefined || this.#lapse(entry) !== null) return null;
    entry.lastSeenAt = this.#options.clock.now();
    entry.unsaved = true;
    return entry.record;
  }

  /** Open sessions, newest first; of one principal if given. */
  list(principalId?: PrincipalId): OpenSession[] {
    return [...this.#open.values()]
      .filter((entry) => principalId === undefined || entry.record.principalId === principalId)
      .filter((entry) => this.#lapse(entry) === null)
      .map(({ record, sourceAddress, userAgent, lastSeenAt }) => ({
        ...record,
        sourceAddress,
        userAgent,
        lastSeenAt,
      }))
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  /** Ends a session; what rests on it (cookie, access and refresh tokens) stops with the commit. False if it was over. */
  async close(by: Attribution, id: SessionId, reason: string): Promise<boolean> {
    const now = this.#options.clock.now();
    return this.#options.commit(by, async (tx, record) => {
      const ended = await endSessions(tx, record, { id }, reason, now);
      return ended.length > 0;
    });
  }

  /** Closes what has lapsed and saves when sessions were last used. Call it every half minute or so. */
  async sweep(): Promise<void> {
    await this.endLapsed();
    for (const entry of Array.from(this.#open.values())) {
      if (entry.unsaved) {
        entry.unsaved = false;
        await this.#options.store.db
          .updateTable('sessions')
          .set({ last_seen_at: entry.lastSeenAt })
          .where('id', '=', entry.record.id)
          .execute();
      }
    }
  }

  /** Closes the sessions whose time is over, so that whatever rests on them ends. Cheap: to be called every second. */
  async endLapsed(): Promise<void> {
    const by = systemAttribution(this.#options.tenantId, 'sign-in');
    for (const entry of Array.from(this.#open.values())) {
      const reason = this.#lapse(entry);
      if (reason !== null) await this.close(by, entry.record.id, reason);
    }
  }

  #lapse(entry: Entry): 'expired' | 'idle' | null {
    const now = this.#options.clock.now();
    if (now >= entry.record.expiresAt) return 'expired';
    return now >= entry.lastSeenAt + this.#options.idleMilliseconds ? 'idle' : null;
  }

  #apply(change: Change): void {
    if (change.kind === 'session.opened') this.#admit(change.session);
    if (change.kind === 'session.closed') this.#open.delete(change.session.id);
    const ended = whoseSessionsEnd(change);
    if (ended !== null) this.#forget(ended);
  }

  /** One that another process opened: where from is not in the feed. */
  #admit(session: SessionRecord): void {
    if (this.#open.has(session.id)) return;
    const lastSeenAt = session.createdAt;
    const unknown = { sourceAddress: null, userAgent: null };
    this.#open.set(session.id, { record: session, ...unknown, lastSeenAt, unsaved: false });
  }

  #forget(principalId: PrincipalId): void {
    for (const [id, entry] of this.#open) {
      if (entry.record.principalId === principalId) this.#open.delete(id);
    }
  }
}

/** The person whose every sign-in ends with this change, whoever closes the rows. */
function whoseSessionsEnd(change: Change): PrincipalId | null {
  if (change.kind === 'principal.deleted') return change.id;
  if (change.kind === 'principal.updated') return change.principal.enabled ? null : change.principal.id;
  if (change.kind === 'credential.added' && change.credential.kind === 'password') return change.principal;
  return null;
}

/**
 * Ends open sessions within the caller's transaction: one by id, or all of a principal whose password changed,
 * who was disabled or deleted. Returns those that ended.
 */
export async function endSessions(
  tx: Tx,
  record: (change: Change) => void,
  which: { readonly id: SessionId } | { readonly principalId: PrincipalId },
  reason: string,
  now: number,
): Promise<SessionRecord[]> {
  const rows = await tx
    .updateTable('sessions')
    .set({ ended_at: now, end_reason: reason })
    .where('ended_at', 'is', null)
    .$if('id' in which, (query) => query.where('id', '=', 'id' in which ? which.id : ''))
    .$if('principalId' in which, (query) =>
      query.where('principal_id', '=', 'principalId' in which ? which.principalId : ''),
    )
    .returningAll()
    .execute();
  const ended = rows.map((row) => toEntry(row).record);
  for (const session of ended) record({ kind: 'session.closed', session, reason });
  return ended;
}

function toEntry(row: Schema['sessions']): Entry {
  return {
    record: {
      id: row.id as SessionId,
      principalId: row.principal_id as PrincipalId,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      authenticationMethods: textList.parse(JSON.parse(row.amr_json)),
    },
    sourceAddress: row.source_address,
    userAgent: row.user_agent,
    lastSeenAt: row.last_seen_at ?? row.created_at,
    unsaved: false,
  };
}
