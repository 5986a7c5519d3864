import type { Caller } from '../identity/caller.ts';
import type { CutBy } from '../ledger/events.ts';
import type { Clock } from '../lib/clock.ts';
import { epochSeconds } from '../lib/clock.ts';
import type { PrincipalId, RequestId } from '../lib/ids.ts';
import type { Access, Decision } from '../policy/types.ts';
import { Slots } from '../lib/slots.ts';
import { PacedTasks } from './paced-tasks.ts';

/** What opens an entry: one exchange that was allowed. */
export interface LiveExchange {
  /** The request's id is the session's id, so that a cut stream is found in the ledger. */
  readonly id: RequestId;
  /** Null under a public guard. */
  readonly caller: Caller | null;
  readonly authorities: readonly PrincipalId[];
  /** What was decided; further decisions of the same exchange are added with `alsoDecided`. Null where none was needed. */
  readonly access: Access | null;
  /** Whether a condition asked the time: see Decision. */
  readonly restsOnTime: boolean;
  readonly surface: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly remoteAddress: string;
  /**
   * Ends the exchange at once: destroys the connection if the head is out. Called once. Whatever of it is only telling may
   * wait its turn: see `LiveSession.later`.
   */
  end(cut: Cut): void;
}

/** Why an exchange is ended before its own end. */
export interface Cut {
  /** As the record has it: `policy-changed`, `draining`, … */
  readonly reason: string;
  /** For whoever is cut off, what of policy no longer allows it; absent where no policy is to blame. */
  readonly detail?: string;
  /** Who or what did it; null, or absent, where that is not known. */
  readonly by?: CutBy | null;
}

export class LiveSession {
  readonly exchange: LiveExchange;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  requestBytes = 0;
  responseBytes = 0;
  /** Messages each way, and those that the upstream never got, once it is a WebSocket. */
  messages: { received: number; sent: number; withheld: number } | null = null;
  /** Why its upstream was asked a second time; null where it was not. */
  sentAgain: string | null = null;
  /** Null while it lives. */
  cut: Cut | null = null;
  /** Whether time alone may end it, as its latest review found. */
  restsOnTime: boolean;
  /** Where it stands among all, and among those whose credential lapses with its own. */
  slot = -1;
  lapsingSlot = -1;
  readonly #also: Access[] = [];
  #concluded = false;
  #later: (() => void) | null = null;

  constructor(exchange: LiveExchange, startedAt: number) {
    this.exchange = exchange;
    this.startedAt = startedAt;
    this.restsOnTime = exchange.restsOnTime;
  }

  /** Every access that this exchange rests on: all must stay allowed. */
  get accesses(): readonly Access[] {
    const { access } = this.exchange;
    return access === null || this.#concluded ? this.#also : [access, ...this.#also];
  }

  /** To be called within `end`: what is left to do once nothing passes any more, soon. It must not throw. */
  later(task: () => void): void {
    this.#later = task;
  }

  takeLater(): (() => void) | null {
    const task = this.#later;
    this.#later = null;
    return task;
  }

  /** What was decided until now has been made use of, and is not asked for again. */
  conclude(): void {
    this.#concluded = true;
    this.#also.length = 0;
  }

  alsoDecided({ access, restsOnTime }: Pick<Decision, 'access' | 'restsOnTime'>): void {
    this.#also.push(access);
    this.restsOnTime ||= restsOnTime;
  }
}

/** What an operator sees of a live session. No secret. */
export interface LiveSessionView {
  readonly id: RequestId;
  readonly principalId: PrincipalId | null;
  readonly principalName: string;
  readonly authorities: readonly PrincipalId[];
  readonly surface: string;
  readonly operation: string;
  readonly action: string | null;
  readonly scope: string | null;
  readonly method: string;
  readonly path: string;
  readonly startedAt: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Messages each way of a WebSocket; null for what is none. */
  readonly messages: { readonly received: number; readonly sent: number } | null;
  readonly remoteAddress: string;
  readonly sessionId: string | null;
  readonly leaseId: string | null;
  readonly tokenId: string | null;
}

/**
 * Every exchange in flight, from the decision until its last byte. What changes in policy or identity is put to each
 * of them by `review`; a credential that nothing renews ends its exchanges when it lapses.
 */
export class LiveSessions {
  readonly #clock: Clock;
  readonly #live = new Slots<LiveSession>();
  /** Sessions by the second in which their credential lapses; kept until then, even without any. */
  readonly #lapsing = new Map<number, Slots<LiveSession>>();
  readonly #watch: NodeJS.Timeout;
  /** What is left to do of cuts: of a thousand at once the last is told of hers a little later, but cut she is. */
  readonly #telling = new PacedTasks();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#watch = setInterval(() => this.#expire(), 250);
    this.#watch.unref();
  }

  get size(): number {
    return this.#live.size;
  }

  open(exchange: LiveExchange): LiveSession {
    const session = new LiveSession(exchange, this.#clock.now());
    session.slot = this.#live.add(session);
    const lapses = lapseOf(exchange.caller);
    if (lapses !== null) {
      let others = this.#lapsing.get(lapses);
      if (others === undefined) this.#lapsing.set(lapses, (others = new Slots()));
      session.lapsingSlot = others.add(session);
    }
    return session;
  }

  close(session: LiveSession): void {
    this.#live.remove(session.slot, session);
    const lapses = lapseOf(session.exchange.caller);
    if (lapses !== null) this.#lapsing.get(lapses)?.remove(session.lapsingSlot, session);
  }

  /** The oldest first. */
  list(): LiveSessionView[] {
    return [...this.#live].sort((a, b) => a.startedAt - b.startedAt).map(view);
  }

  /** Ends one session within this tick. False when there is none of that id. */
  cut(id: RequestId, reason: string, by: CutBy | null = null): boolean {
    for (const session of this.#live) {
      if (session.exchange.id !== id) continue;
      this.#end(session, { reason, by });
      this.#telling.run();
      return true;
    }
    return false;
  }

  cutAll(reason: string): number {
    return this.review(() => ({ reason }));
  }

  /**
   * Asks `check` of every live session; a cut ends that session within this tick. Returns how many were ended.
   * A check that throws ends the session too (`policy-unavailable`).
   */
  review(check: (session: LiveSession) => Cut | null): number {
    return this.#review(check, () => true);
  }

  /** `review` of those that time alone may end: their decisions asked what time it is. */
  reviewTimed(check: (session: LiveSession) => Cut | null): number {
    return this.#review(check, ({ restsOnTime }) => restsOnTime);
  }

  #review(check: (session: LiveSession) => Cut | null, isMeant: (session: LiveSession) => boolean): number {
    let ended = 0;
    for (const session of this.#live) {
      if (!isMeant(session)) continue;
      let cut: Cut | null;
      try {
        cut = check(session);
      } catch {
        cut = { reason: 'policy-unavailable' };
      }
      if (cut === null) continue;
      this.#end(session, cut);
      ended++;
    }
    this.#telling.run();
    return ended;
  }

  stop(): void {
    clearInterval(this.#watch);
  }

  #end(session: LiveSession, cut: Cut): void {
    session.cut = cut;
    this.close(session);
    session.exchange.end(cut);
    const later = session.takeLater();
    if (later !== null) this.#telling.add(later);
  }

  #expire(): void {
    const now = epochSeconds(this.#clock);
    for (const [second, sessions] of this.#lapsing) {
      if (second > now) continue;
      for (const session of sessions) this.#end(session, { reason: 'credential-expired' });
      this.#lapsing.delete(second);
    }
    this.#telling.run();
  }
}

/** When the credential lapses, if nothing keeps it alive: a lease and a session have ends of their own. */
function lapseOf(caller: Caller | null): number | null {
  if (caller === null) return null;
  const { leaseId, sessionId, expiresAt } = caller.credential;
  return leaseId === null && sessionId === null ? expiresAt : null;
}

function view(session: LiveSession): LiveSessionView {
  const { exchange } = session;
  const credential = exchange.caller?.credential;
  return {
    id: exchange.id,
    principalId: exchange.caller?.subject.id ?? null,
    principalName: exchange.caller?.subject.name ?? 'anonymous',
    authorities: exchange.authorities,
    surface: exchange.surface,
    operation: exchange.operation,
    action: exchange.access?.action ?? null,
    scope: exchange.access?.scope ?? null,
    method: exchange.method,
    path: exchange.path,
    startedAt: session.startedAt,
    requestBytes: session.requestBytes,
    responseBytes: session.responseBytes,
    messages: session.messages === null ? null : { ...session.messages },
    remoteAddress: exchange.remoteAddress,
    sessionId: credential?.sessionId ?? null,
    leaseId: credential?.leaseId ?? null,
    tokenId: credential?.tokenId ?? null,
  };
}
