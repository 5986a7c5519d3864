import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Agent, fetch, type RequestInit, type Response } from 'undici';
import type { Caller } from '../../identity/caller.ts';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { failure, type LockstepError } from '../../lib/errors.ts';
import { newEventId, type EventId, type PrincipalId, type TenantId } from '../../lib/ids.ts';
import { createLog, type Log } from '../../lib/log.ts';
import type { RequestFact } from '../../ledger/events.ts';
import type { Access, Verdict } from '../../policy/types.ts';
import { listenTls, type Listener, type ListenerLimits } from '../listener.ts';
import { LiveSessions } from '../live-sessions.ts';
import type { MemoryBounds } from '../bodies/memory-budget.ts';
import { ensureLocalAuthority } from '../certificates/local-authority.ts';
import { createPipeline } from '../pipeline.ts';
import { createRecogniser } from '../recognise.ts';
import type { Surface } from '../types.ts';

export const tenantId = '11111111-1111-4111-8111-111111111111' as TenantId;
export const alice = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa' as PrincipalId;

/** A person with a bearer token of the given end (seconds since the epoch). */
export function callerOf(id: PrincipalId, options: Partial<Caller['credential']> = {}): Caller {
  return {
    tenantId,
    subject: { id, kind: 'user', name: 'alice@example.test' },
    chain: [{ kind: 'user', id, name: 'alice@example.test' }],
    authorities: [id],
    credential: {
      kind: 'bearer',
      tokenId: 'uti-1',
      sessionId: null,
      leaseId: null,
      expiresAt: Math.floor(Date.now() / 1000) + 3600,
      ...options,
    },
  };
}

export interface GatewayParts {
  readonly surfaces: readonly Surface[];
  readonly decide?: (
    authorities: readonly PrincipalId[],
    access: Access,
  ) => Verdict & { decidedFor: PrincipalId | null };
  /** Bearer tokens by text. */
  readonly tokens?: ReadonlyMap<string, Caller>;
  readonly cookies?: ReadonlyMap<string, Caller>;
  readonly record?: (fact: RequestFact) => Promise<EventId>;
  readonly checkLive?: (caller: Caller) => LockstepError | null;
  readonly clock?: Clock;
  readonly limits?: ListenerLimits;
  readonly memory?: MemoryBounds;
  readonly untakenMilliseconds?: number;
  readonly hostnames?: readonly string[];
  readonly log?: Log;
}

/** A whole gateway on a free port, with a certificate of a local authority of its own. */
export class TestGateway {
  readonly facts: RequestFact[] = [];
  readonly sessions: LiveSessions;
  readonly listener: Listener;
  readonly ca: string;
  readonly agent: Agent;

  private constructor(listener: Listener, sessions: LiveSessions, ca: string, facts: RequestFact[]) {
    this.listener = listener;
    this.sessions = sessions;
    this.ca = ca;
    this.facts = facts;
    this.agent = new Agent({ connect: { ca } });
  }

  static async start(parts: GatewayParts): Promise<TestGateway> {
    const directory = await mkdtemp(join(tmpdir(), 'lockstep-gateway-'));
    const certificate = await ensureLocalAuthority(directory, parts.hostnames ?? []);
    const clock = parts.clock ?? systemClock;
    const sessions = new LiveSessions(clock);
    const facts: RequestFact[] = [];
    const pipeline = createPipeline({
      edge: { hosts: { names: ['localhost', '127.0.0.1', '::1'], baseDomain: 'localhost' } },
      surfaces: parts.surfaces,
      recognise: createRecogniser({
        verifyToken: (token) => {
          const caller = parts.tokens?.get(token);
          if (caller === undefined) throw failure('invalid_token', 'The access token is not one of ours.');
          return Promise.resolve(caller);
        },
        callerFromCookie: (value) => parts.cookies?.get(value) ?? null,
      }),
      decide:
        parts.decide ??
        ((authorities) => ({
          allowed: false,
          cause: { kind: 'missing-grant' },
          decidedFor: authorities[0] ?? null,
        })),
      snapshotVersion: () => 7,
      checkLive: parts.checkLive ?? (() => null),
      record: async (fact) => {
        const id = (await parts.record?.(fact)) ?? newEventId(clock.now());
        facts.push(fact);
        return id;
      },
      sessions,
      ...(parts.memory !== undefined && { memory: parts.memory }),
      ...(parts.untakenMilliseconds !== undefined && { untakenMilliseconds: parts.untakenMilliseconds }),
      tenantId,
      clock,
      log: parts.log ?? createLog('silent'),
    });
    const listener = await listenTls({
      ...certificate,
      host: '127.0.0.1',
      port: 0,
      pipeline,
      sessions,
      ...(parts.limits === undefined ? {} : { limits: parts.limits }),
    });
    return new TestGateway(listener, sessions, await readFile(certificate.caCertificatePath, 'utf8'), facts);
  }

  get port(): number {
    return this.listener.address.port;
  }

  get origin(): string {
    return `https://localhost:${this.port}`;
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.origin}${path}`, { ...init, dispatcher: this.agent });
  }

  /** Sends these very bytes on a TLS connection of their own and resolves with all that comes back. */
  async raw(bytes: string | Buffer, waitMilliseconds = 5000, servername = 'localhost'): Promise<string> {
    const socket = await this.connect(servername);
    const { promise, resolve } = Promise.withResolvers<string>();
    const chunks: Buffer[] = [];
    const done = (): void => resolve(Buffer.concat(chunks).toString('latin1'));
    const patience = setTimeout(() => socket.destroy(), waitMilliseconds);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', done).on('close', done);
    socket.write(bytes);
    const answer = await promise;
    clearTimeout(patience);
    return answer;
  }

  async connect(servername = 'localhost'): Promise<TLSSocket> {
    const socket = connectTls({ host: '127.0.0.1', port: this.port, ca: this.ca, servername });
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', () => resolve(undefined)).once('error', reject);
    });
    return socket;
  }

  async close(): Promise<void> {
    await this.agent.destroy();
    await this.listener.close();
    this.sessions.stop();
  }
}

/** A policy that allows everything to Alice. */
export function allow(): Verdict & { decidedFor: PrincipalId } {
  return {
    allowed: true,
    cause: {
      kind: 'role-assignment',
      id: 'a1',
      roleDefinitionId: 'r1',
      roleName: 'Reader',
      scope: '/',
      principalId: alice,
    },
    decidedFor: alice,
  };
}

export async function until(condition: () => boolean, milliseconds = 10_000): Promise<void> {
  const limit = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > limit) throw new Error('the condition never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
