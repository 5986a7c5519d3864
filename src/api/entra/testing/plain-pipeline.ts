import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Caller } from '../../../identity/caller.ts';
import type { Liveness } from '../../../identity/liveness.ts';
import type { Sessions } from '../../../identity/signin/sessions.ts';
import type { TokenVerifier } from '../../../identity/tokens/verify.ts';
import { asLockstepError, failure } from '../../../lib/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import { newDecisionId, newGuid, type RequestId, type TenantId } from '../../../lib/ids.ts';
import type { Described, Exchange, Reply, RequestHead, Surface } from '../../../gateway/types.ts';
import { sessionFromHeaders } from '../browser-cookies.ts';

export interface PlainPipelineOptions {
  readonly surfaces: readonly Surface[];
  readonly tenantId: TenantId;
  readonly clock: Clock;
  readonly verifier: TokenVerifier;
  readonly liveness: Liveness;
  readonly sessions: Sessions;
}

/** Recognise, describe, serve: what the sign-in surfaces need of a pipeline, so that they are tested by themselves. */
export function plainPipeline(options: PlainPipelineOptions): RequestListener {
  return (request, response) => {
    void (async () => {
      const target = request.url ?? '/';
      const [path = '/', rawQuery = ''] = target.split(/\?(.*)/s);
      const authority = (request.headers.host ?? '').toLowerCase();
      const head: RequestHead = {
        id: newGuid() as RequestId,
        method: request.method ?? '',
        host: authority.split(':')[0] ?? '',
        authority,
        path,
        rawQuery,
        query: new URLSearchParams(rawQuery),
        headers: request.headers,
        remoteAddress: request.socket.remoteAddress ?? '',
        origin: `https://${authority}`,
      };
      const bytes = await buffer(request);
      const surface = options.surfaces.find((each) => each.matches(head));
      let reply: Reply;
      try {
        const described = surface?.describe(head) ?? null;
        if (surface === undefined || described === null) throw failure('unknown_route', 'Unknown route.');
        const caller = described.guard.kind === 'public' ? null : await recognise(options, surface, head);
        reply = await described.serve(exchangeOf(options, head, described, caller, bytes));
      } catch (thrown) {
        const error = asLockstepError(thrown);
        if (error.code === 'internal' && process.env['LOCKSTEP_TEST_LOG'] !== undefined) throw thrown;
        reply = surface?.renderError(error, head) ?? { status: error.status, body: error.publicMessage };
      }
      response.writeHead(reply.status, { ...(reply.headers as Record<string, string | string[]>) });
      if (reply.body instanceof Readable) reply.body.pipe(response);
      else response.end(reply.body);
    })();
  };
}

async function recognise(
  options: PlainPipelineOptions,
  surface: Surface,
  head: RequestHead,
): Promise<Caller> {
  const bearer = /^Bearer (.+)$/i.exec(head.headers.authorization ?? '')?.[1];
  const caller =
    bearer === undefined
      ? callerOfSession(options, surface, head)
      : await options.verifier.verify(bearer, surface.audiences);
  const dead =
    caller === null ? failure('authentication_required', 'Sign in.') : options.liveness.check(caller);
  if (caller === null || dead !== null) throw dead ?? failure('authentication_required', 'Sign in.');
  return caller;
}

function callerOfSession(options: PlainPipelineOptions, surface: Surface, head: RequestHead): Caller | null {
  const session = surface.acceptsSessionCookie ? sessionFromHeaders(head.headers, options.sessions) : null;
  const person = session === null ? undefined : options.liveness.principal(session.principalId);
  if (session === null || person === undefined) return null;
  return {
    tenantId: options.tenantId,
    subject: { id: person.id, kind: 'user', name: person.displayName },
    chain: [{ kind: 'user', id: person.id, name: person.displayName }],
    authorities: [person.id],
    credential: {
      kind: 'session-cookie',
      tokenId: session.id,
      sessionId: session.id,
      leaseId: null,
      expiresAt: Math.floor(session.expiresAt / 1000),
    },
  };
}

function exchangeOf(
  options: PlainPipelineOptions,
  head: RequestHead,
  described: Described,
  caller: Caller | null,
  bytes: Buffer,
): Exchange {
  const decision = {
    id: newDecisionId(options.clock.now()),
    allowed: true,
    cause: { kind: 'public', rule: 'test' },
    decidedFor: null,
    authorities: caller?.authorities ?? [],
    access: { action: described.operation, dataAction: false, scope: '/' },
    snapshotVersion: 0,
  } as const;
  return {
    head,
    caller,
    decision,
    attribution: {
      tenantId: options.tenantId,
      chain: caller?.chain ?? [{ kind: 'anonymous', id: 'anonymous', name: 'anonymous' }],
      requestId: head.id,
      sourceAddress: head.remoteAddress,
      sessionId: caller?.credential.sessionId ?? null,
      leaseId: null,
      tokenId: null,
      decisionId: decision.id,
      policyId: null,
      snapshotVersion: 0,
    },
    bytes,
    stream: Readable.from([]),
    json: (schema) => schema.parse(JSON.parse(bytes.toString('utf8'))),
    form() {
      const form = new Map<string, string>();
      for (const [name, value] of new URLSearchParams(bytes.toString('utf8'))) {
        if (form.has(name)) throw failure('invalid_request', `The field ${name} is repeated.`);
        form.set(name, value);
      }
      return form;
    },
    signal: new AbortController().signal,
    decideAlso: async () => decision,
  };
}
