import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RecordFact } from '../ledger/events.ts';
import { asLockstepError } from '../lib/errors.ts';
import type { TenantId } from '../lib/ids.ts';
import { admit, type Admission, type EdgeOptions } from './edge.ts';
import { attributionOf, decidedFact } from './facts.ts';
import { InFlight } from './in-flight.ts';
import { Judging, type JudgingOptions } from './judging.ts';
import type { LiveSessions } from './live-sessions.ts';
import { refuseUnparsed } from './unparsed.ts';

export interface PipelineOptions extends JudgingOptions {
  readonly edge: EdgeOptions;
  readonly record: RecordFact;
  readonly sessions: LiveSessions;
  readonly tenantId: TenantId;
}

export interface Pipeline {
  (request: IncomingMessage, response: ServerResponse): void;
  /** For a connection whose bytes were no request; answers, records and closes it. */
  unparsed(error: Error, socket: Duplex): void;
}

/**
 * recognise → describe → decide → serve → record, for every request of every surface.
 * Nothing is served undescribed, undecided or unrecorded; a fault on the way to a decision is a deny.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, log } = options;
  /** Exchanges under way on a connection: a client may send the next request before the last one has ended. */
  const busy = new WeakMap<Duplex, number>();
  const count = (socket: Duplex, change: 1 | -1): void => {
    busy.set(socket, (busy.get(socket) ?? 0) + change);
  };
  const condemned = new WeakSet<Duplex>();

  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    // Behind a request that the edge refused, the parser may read a body as requests: none of them counts.
    if (condemned.has(socket)) return;
    count(socket, 1);
    response.once('close', () => count(socket, -1));
    const admission = admit(request, options.edge, clock);
    if (admission.kind === 'refused') condemned.add(socket);
    carry(options, admission, new InFlight(options, request, response, admission)).catch(
      (thrown: unknown) => {
        log.error(
          { err: asLockstepError(thrown), request: admission.head.id },
          'gateway: an exchange fell over',
        );
        response.destroy();
      },
    );
  };
  return Object.assign(take, {
    unparsed: (error: Error, socket: Duplex): void => {
      // In the middle of an exchange no second answer can be put on the wire.
      if ((busy.get(socket) ?? 0) > 0) socket.destroy();
      else refuseUnparsed(error, socket, options);
    },
  });
}

async function carry(options: PipelineOptions, admission: Admission, flight: InFlight): Promise<void> {
  const { head } = admission;
  const judging = new Judging(options, admission);
  const obstacle = await judging.prepare();
  flight.surface = judging.surface;
  const wanted = obstacle === null ? judging.bodyBeforeDecision() : null;
  if (wanted !== null) judging.learn(await flight.readBody(wanted));
  // From here to the registration in `serve` nothing waits.
  const judgement = obstacle ?? judging.conclude();
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
