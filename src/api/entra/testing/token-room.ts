import { Readable } from 'node:stream';
import { ExternalIssuers } from '../../../identity/federation/external-issuers.ts';
import { UsedAssertions } from '../../../identity/federation/used-assertions.ts';
import { SignInThrottle } from '../../../identity/signin/throttle.ts';
import { startCiIssuer, type CiIssuer } from '../../../identity/testing/ci-issuer.ts';
import {
  by,
  openIdentityRoom,
  tenantId,
  type IdentityRoom,
} from '../../../identity/testing/identity-room.ts';
import type { RequestFact } from '../../../ledger/events.ts';
import { asLockstepError, failure } from '../../../lib/errors.ts';
import { newDecisionId, newEventId, newGuid, type RequestId } from '../../../lib/ids.ts';
import type { PrincipalRecord } from '../../../store/changes.ts';
import { TestGateway } from '../../../gateway/testing/gateway.ts';
import type { Exchange, Reply, RequestHead, Surface } from '../../../gateway/types.ts';
import { standardResources } from '../resources.ts';
import { entraSurface } from '../surface.ts';
import { TokenEndpoint } from '../token/endpoint.ts';

export interface TokenService {
  readonly room: IdentityRoom;
  readonly surface: Surface;
  readonly ci: CiIssuer;
  readonly facts: RequestFact[];
  readonly publicUrl: string;
  /** Of the gateway's local authority, for clients to trust. */
  readonly certificatePem: string;
  readonly sponsor: PrincipalRecord;
  readonly application: PrincipalRecord & { readonly clientId: string };
  /** Posts a form to the token endpoint through the surface; answers status, headers and parsed body. */
  post(form: Record<string, string>, options?: PostOptions): Promise<Answer>;
  get(path: string): Promise<Answer>;
  close(): Promise<void>;
}

export interface PostOptions {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly remoteAddress?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Record<string, unknown>;
}

/**
 * The token service with an application `CI` and a local CI issuer: in real time behind the real gateway, for
 * unmodified clients; in manual time through the surface alone.
 */
export async function startTokenService(options: {
  readonly time: 'manual' | 'real';
}): Promise<TokenService> {
  const late: { surface: Surface | null } = { surface: null };
  const listens = options.time === 'real';
  const gateway = listens ? await TestGateway.start({ surfaces: [lateBound(late)] }) : null;
  const publicUrl = `https://localhost:${gateway?.port ?? 8443}`;
  const room = await openIdentityRoom({ time: options.time, publicUrl });
  const facts: RequestFact[] = [];
  const ci = await startCiIssuer(() => room.clock.now());
  const tokenEndpoint = new TokenEndpoint({
    publicUrl,
    tenantId,
    directory: room.directory,
    liveness: room.liveness,
    issuer: room.tokens,
    externalIssuers: new ExternalIssuers({ clock: room.clock, timeoutSeconds: 2 }),
    usedAssertions: new UsedAssertions({ commit: room.feed.commit, clock: room.clock }),
    throttle: new SignInThrottle({ db: room.store.db, clock: room.clock }),
    record: async (fact) => {
      facts.push(fact);
      return newEventId(room.clock.now());
    },
    resources: standardResources({ publicUrl, storageOrigins: ['https://labstore.blob.localhost:8443'] }),
    clock: room.clock,
    applicationSeconds: 3600,
  });
  const surface = entraSurface({ publicUrl, tenantId, keys: room.keys, tokenEndpoint, clock: room.clock });
  late.surface = surface;
  const sponsor = await room.person('Ada');
  const application = await room.application('CI', sponsor.id);
  return {
    room,
    surface,
    ci,
    facts,
    publicUrl,
    certificatePem: gateway?.ca ?? '',
    sponsor,
    application: { ...application, clientId: application.signInName ?? '' },
    post: (
      form,
      { path = `/${tenantId}/oauth2/v2.0/token`, headers = {}, remoteAddress = '192.0.2.1' } = {},
    ) =>
      through(
        surface,
        headOf({ method: 'POST', path, headers, remoteAddress }),
        Buffer.from(new URLSearchParams(form).toString()),
      ),
    get: (path) =>
      through(
        surface,
        headOf({ method: 'GET', path, headers: {}, remoteAddress: '192.0.2.1' }),
        Buffer.alloc(0),
      ),
    async close() {
      await gateway?.close();
      await ci.close();
      await room.close();
    },
  };
}

/** The public address is known once the gateway listens, and the surface needs it. */
function lateBound(late: { readonly surface: Surface | null }): Surface {
  const surface = (): Surface => {
    if (late.surface === null) throw new Error('the token service has not been started yet');
    return late.surface;
  };
  return {
    name: 'entra',
    audiences: [],
    acceptsSessionCookie: true,
    matches: (head) => surface().matches(head),
    describe: (head) => surface().describe(head),
    renderError: (error, head) => surface().renderError(error, head),
  };
}

interface Wire {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly remoteAddress: string;
}

export function headOf({ method, path, headers, remoteAddress }: Wire): RequestHead {
  const [pathname = '', rawQuery = ''] = path.split('?');
  return {
    id: newGuid() as RequestId,
    method,
    host: 'localhost',
    authority: 'localhost',
    path: pathname,
    rawQuery,
    query: new URLSearchParams(rawQuery),
    headers,
    remoteAddress,
    origin: 'https://localhost',
    upgrade: null,
    hasBody: false,
  };
}

/** What the pipeline does with a public route, and no more of it. */
async function reply(surface: Surface, head: RequestHead, bytes: Buffer): Promise<Reply> {
  try {
    const described = surface.matches(head) ? surface.describe(head) : null;
    if (described === null) throw failure('unknown_route', 'This route is not described.');
    return await described.serve(exchangeOf(head, bytes));
  } catch (thrown) {
    return surface.renderError(asLockstepError(thrown), head);
  }
}

export function exchangeOf(head: RequestHead, bytes: Buffer): Exchange {
  const never = () => {
    throw new Error('the token service does not ask for this');
  };
  return {
    head,
    caller: null,
    decision: {
      id: newDecisionId(0),
      allowed: true,
      cause: { kind: 'public', rule: 'entra.token' },
      decidedFor: null,
      authorities: [],
      access: { action: '', dataAction: false, scope: '/' },
      snapshotVersion: 0,
      restsOnTime: false,
    },
    attribution: {
      ...by,
      chain: [{ kind: 'anonymous', id: 'anonymous', name: 'anonymous' }],
      sourceAddress: head.remoteAddress,
    },
    bytes,
    stream: Readable.from([]),
    json: never,
    form() {
      const form = new Map<string, string>();
      for (const [name, value] of new URLSearchParams(bytes.toString())) {
        if (form.has(name)) throw failure('invalid_request', `The field ${name} is repeated.`);
        form.set(name, value);
      }
      return form;
    },
    signal: new AbortController().signal,
    decideAlso: never,
    decideEach: never,
    trailers: () => ({}),
    hint: () => undefined,
    conclude: never,
    sentAgain: never,
  };
}

async function through(surface: Surface, head: RequestHead, bytes: Buffer): Promise<Answer> {
  const { status, headers = {}, body } = await reply(surface, head, bytes);
  if (typeof body !== 'string') throw new Error('the token service answers text');
  return { status, headers, body: JSON.parse(body) as Record<string, unknown> };
}
