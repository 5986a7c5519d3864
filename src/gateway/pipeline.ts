import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RecordFact } from '../ledger/events.ts';
import { asLockstepError } from '../lib/errors.ts';
import type { TenantId } from '../lib/ids.ts';
import { admit, type Admission, type EdgeOptions } from './edge/edge.ts';
import { destroyAtOnce, type Incoming, type Outgoing } from './ends.ts';
import { attributionOf, decidedFact } from './record/facts.ts';
import { InFlight } from './in-flight.ts';
import { Judging, type Judgement, type JudgingOptions } from './judging.ts';
import type { LiveSessions } from './live-sessions.ts';
import { defaultMemoryBounds, MemoryBudget, type MemoryBounds } from './bodies/memory-budget.ts';
import { indexSurfaces } from './surface-index.ts';
import type { Surface } from './types.ts';
import { recordUnframed, refuseUnparsed } from './edge/unparsed.ts';
import { WaitingSocket } from './web-socket/waiting-socket.ts';

export interface PipelineOptions extends Omit<JudgingOptions, 'surfaceOf'> {
  /** Asked in this order whether a request is theirs. */
  readonly surfaces: readonly Surface[];
  readonly edge: EdgeOptions;
  readonly record: RecordFact;
  readonly sessions: LiveSessions;
  readonly tenantId: TenantId;
  /** For what callers have begun and not finished. */
  readonly memory?: MemoryBounds;
  /** How long a client may take nothing of an answer; five minutes. */
  readonly untakenMilliseconds?: number;
}

export interface Pipeline {
  (request: IncomingMessage, response: ServerResponse): void;
  /** A request of HTTP/2: what becomes of it touches none of those beside it on the connection. */
  stream(request: Incoming, response: Outgoing): void;
  /** For a connection that Node hands over because its request asks for an upgrade, with the bytes that came behind it. */
  upgrade(request: IncomingMessage, socket: Duplex, early: Buffer): void;
  /** For a connection whose bytes were no request; answers, records and closes it. */
  unparsed(error: Error, socket: Duplex): void;
  /** For a connection whose bytes were no HTTP/2, and which was closed for it; records that. */
  unframed(error: Error, remoteAddress: string): void;
}

/**
 * describe → recognise → decide → record → serve, for every request of every surface.
 * Nothing is served undescribed, undecided or unrecorded; a fault on the way to a decision is a deny.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, log } = options;
  const judging = { ...options, surfaceOf: indexSurfaces(options.surfaces) };
  const flights = { ...options, memory: new MemoryBudget(options.memory ?? defaultMemoryBounds) };
  /** Exchanges under way on a connection: a client may send the next request before the last one has ended. */
  const busy = new WeakMap<Duplex, number>();
  const count = (socket: Duplex, change: 1 | -1): void => {
    busy.set(socket, (busy.get(socket) ?? 0) + change);
  };
  const condemned = new WeakSet<Duplex>();

  const take = (request: IncomingMessage, taken: Taken): void => {
    const { socket } = request;
    count(socket, 1);
    taken.response.once('close', () => count(socket, -1));
    if (begin(request, taken).kind === 'refused') condemned.add(socket);
  };
  const begin = (request: Incoming, { response, waiting, bytesBehind }: Taken): Admission => {
    const admission = admit(request, options.edge, clock, bytesBehind);
    carry(judging, admission, new InFlight(flights, { request, response, waiting }, admission)).catch(
      (thrown: unknown) => {
        log.error(
          { err: asLockstepError(thrown), request: admission.head.id },
          'gateway: an exchange fell over',
        );
        destroyAtOnce(request, response);
      },
    );
    return admission;
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    // Behind a request that the edge refused, the parser may read a body as requests: none of them counts.
    if (!condemned.has(request.socket)) {
      take(request, { response, waiting: null, bytesBehind: 0 });
    }
  };
  return Object.assign(onRequest, {
    stream: (request: Incoming, response: Outgoing): void => {
      begin(request, { response, waiting: null, bytesBehind: 0 });
    },
    upgrade: (request: IncomingMessage, socket: Duplex, early: Buffer): void => {
      // Behind a request that is still being answered it could only be answered in the middle of that answer.
      if (condemned.has(socket) || (busy.get(socket) ?? 0) > 0 || !(socket instanceof Socket)) {
        log.warn({ remoteAddress: request.socket.remoteAddress }, 'gateway: a misplaced upgrade was cut off');
        socket.destroy();
        return;
      }
      const waiting = new WaitingSocket(request, socket);
      take(request, { response: waiting.response, waiting, bytesBehind: early.length });
    },
    unparsed: (error: Error, socket: Duplex): void => {
      // In the middle of an exchange no second answer can be put on the wire.
      if ((busy.get(socket) ?? 0) > 0) socket.destroy();
      else refuseUnparsed(error, socket, options);
    },
    unframed: (error: Error, remoteAddress: string): void => recordUnframed(error, remoteAddress, options),
  });
}

interface Taken {
  readonly response: Outgoing;
  /** The connection, where Node has handed it over for an upgrade. */
  readonly waiting: WaitingSocket | null;
  readonly bytesBehind: number;
}

async function carry(
  options: PipelineOptions & JudgingOptions,
  admission: Admission,
  flight: InFlight,
): Promise<void> {
  const { head } = admission;
  const judging = new Judging(options, admission);
  const obstacle = await judging.prepare();
  flight.surface = judging.surface;
  const wanted = obstacle === null ? judging.bodyBeforeDecision() : null;
  let judgement: Judgement;
  try {
    if (wanted !== null) judging.learn(await flight.readBody(wanted, judging.caller));
    if (obstacle === null) await judging.locate(flight.signal);
    // From here to the registration in `serve` nothing waits.
    judgement = obstacle ?? judging.conclude();
  } finally {
    flight.decided();
  }
  const { decision } = judgement;
  const { caller } = judging;
  const attribution = attributionOf(options.tenantId, head, caller, decision);
  const { operation, effect } = judgement.kind === 'allowed' ? judgement.described : judgement;
  const fact = decidedFact(head, { attribution, surface: judging.surface.name, operation, effect, decision });
  if (judgement.kind === 'denied') await flight.refuse(fact, judgement.error);
  else {
    const { described, bodyFault = null } = judgement;
    await flight.serve({
      described,
      bodyFault,
      caller,
      decision,
      attribution,
      fact,
      decideAlso: (access) => judging.decide(access),
    });
  }
}
