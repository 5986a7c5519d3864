import type { RecordFact, RequestFact } from '../../ledger/events.ts';
import { asLockstepError, isLockstepError, LockstepError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Decision } from '../../policy/types.ts';
import type { Attribution } from '../../store/changes.ts';
import type { LiveSession } from '../live-sessions.ts';
import type { Described } from '../types.ts';
import type { JointEnd } from '../web-socket/join.ts';
import { boundedText } from './bounded-text.ts';

export interface RecordOptions {
  readonly record: RecordFact;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is over, and how. */
export interface Ended {
  readonly attribution: Attribution;
  readonly decision: Decision;
  readonly described: Described;
  readonly surface: string;
  readonly session: LiveSession;
  /** Of the answer; 0 where none began. */
  readonly status: number;
  /** Of what nobody cut: `completed`, `client-gone`, `failed`. */
  readonly ending: string;
  /** What became of the two ends of a WebSocket; null where there were none. */
  readonly joined: JointEnd | null;
}

/** What the ledger is told of one exchange. */
export class ExchangeRecord {
  readonly #options: RecordOptions;
  readonly #request: string;
  readonly #startedAt: number;
  #isDurable = false;

  /** `request`: its id. */
  constructor(options: RecordOptions, request: string) {
    this.#options = options;
    this.#request = request;
    this.#startedAt = options.clock.now();
  }

  /** Whether something of it is durable: before that nothing may be said. */
  get isDurable(): boolean {
    return this.#isDurable;
  }

  /** Resolves once it is durable; rejects with `ledger_unavailable`, whatever the ledger says. */
  async write(fact: RequestFact): Promise<void> {
    try {
      await this.#options.record(fact);
    } catch (thrown) {
      throw this.#failure(thrown);
    }
    this.#isDurable = true;
  }

  /** Nobody waits for it. */
  end({ attribution, decision, described, surface, session, status, ending, joined }: Ended): void {
    const { log, clock, record } = this.#options;
    record({
      kind: 'request.ended',
      attribution,
      surface,
      operation: boundedText(described.operation, 512),
      effect: described.effect,
      scope: boundedText(decision.access.scope, 4096),
      status: joined === null ? status : 101,
      requestBytes: session.requestBytes,
      responseBytes: session.responseBytes,
      durationMilliseconds: Math.max(0, clock.now() - this.#startedAt),
      ending: session.cut?.reason ?? joined?.ending ?? ending,
      ...(session.cut?.by == null ? {} : { cutBy: session.cut.by }),
      ...(session.sentAgain === null ? {} : { sentAgain: session.sentAgain }),
      ...(joined === null || session.messages === null
        ? {}
        : { webSocket: { ...countsOf(session.messages), closeCode: joined.closeCode } }),
    }).catch((thrown: unknown) => {
      log.error({ err: thrown, request: this.#request }, 'gateway: the end of an exchange was not recorded');
    });
  }

  #failure(thrown: unknown): LockstepError {
    this.#options.log.error(
      { err: thrown, request: this.#request },
      'gateway: the ledger did not take a record',
    );
    if (isLockstepError(thrown) && thrown.code === 'ledger_unavailable') return thrown;
    return new LockstepError({
      code: 'ledger_unavailable',
      internalMessage: asLockstepError(thrown).message,
      cause: thrown,
    });
  }
}

function countsOf({ received, sent, withheld }: NonNullable<LiveSession['messages']>) {
  return { received, sent, ...(withheld > 0 && { withheld }) };
}
