import type { Response } from 'undici';
import { z } from 'zod';
import type { Caller } from '../../../../identity/caller.ts';
import type { PrincipalId } from '../../../../lib/ids.ts';
import type { Access } from '../../../../policy/types.ts';
import { allow, alice, callerOf, TestGateway } from '../../../testing/gateway.ts';
import { proxyOptions } from '../../../testing/proxy-options.ts';
import type { ProxiedSurface } from '../../web/proxied.ts';
import { mlflowSurface, type MlflowConnection } from '../surface.ts';
import { FakeTrackingServer } from './tracking-server.ts';

/** Where the connection lies. */
export const scope = '/subscriptions/s/workspaces/lab';
const bobId = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' as PrincipalId;
const jobId = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc' as PrincipalId;
const bob: Caller = {
  ...callerOf(bobId),
  subject: { id: bobId, kind: 'user', name: 'bob@example.test' },
  chain: [{ kind: 'user', id: bobId, name: 'bob@example.test' }],
};
const tokens = new Map<string, Caller>([
  ['alice', callerOf(alice)],
  ['bob', bob],
  [
    'job',
    { ...callerOf(alice), chain: [...callerOf(alice).chain, { kind: 'job', id: jobId, name: 'train' }] },
  ],
]);

const mlflowError = z.looseObject({ error_code: z.string(), message: z.string() });

/**
 * A gateway in front of a fake tracking server. Alice may do everything; what Bob may is in `bobMay`, scopes at and
 * beneath which he may do what the pattern says.
 */
export class MlflowHouse {
  readonly fake: FakeTrackingServer;
  readonly gateway: TestGateway;
  readonly asked: Access[] = [];
  bobMay: { readonly scope: string; readonly actions: RegExp }[] = [];
  /** At and beneath which nobody may do anything. */
  forbidden: string[] = [];
  readonly #surface: ProxiedSurface;

  private constructor(fake: FakeTrackingServer, gateway: TestGateway, surface: ProxiedSurface) {
    this.fake = fake;
    this.gateway = gateway;
    this.#surface = surface;
  }

  static async open(over: Partial<MlflowConnection> = {}): Promise<MlflowHouse> {
    const fake = await FakeTrackingServer.start();
    const surface = mlflowSurface(
      {
        name: 'mlflow',
        upstream: fake.origin,
        scope,
        workspace: null,
        credential: { header: 'authorization', value: 'Basic upstream' },
        ...over,
      },
      proxyOptions,
    );
    const gateway = await TestGateway.start({
      surfaces: [surface],
      tokens,
      hostnames: ['mlflow.localhost'],
      decide: (authorities, access) => house.#decide(authorities, access),
    });
    const house = new MlflowHouse(fake, gateway, surface);
    return house;
  }

  #decide(authorities: readonly PrincipalId[], access: Access) {
    this.asked.push(access);
    const within = (at: string) => access.scope === at || access.scope.startsWith(`${at}/`);
    const may =
      !this.forbidden.some(within) &&
      (authorities[0] === alice ||
        this.bobMay.some(({ scope: at, actions }) => within(at) && actions.test(access.action)));
    return may
      ? allow()
      : {
          allowed: false as const,
          cause: { kind: 'missing-grant' as const },
          decidedFor: authorities[0] ?? null,
        };
  }

  /** What was decided on, as `action-suffix @ scope beneath the connection`. */
  decided(): string[] {
    return this.asked.map(({ action, scope: at }) => {
      const what = action.replace('Microsoft.MachineLearningServices/workspaces/', '');
      return `${what} @ ${at === scope ? '.' : at.slice(scope.length + 1)}`;
    });
  }

  async send(
    who: 'alice' | 'bob' | 'job' | null,
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.gateway.fetch(`/connections/mlflow${path}`, {
      method,
      headers: {
        ...(who === null ? {} : { authorization: `Bearer ${who}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: text }),
    });
  }

  async close(): Promise<void> {
    await this.gateway.close();
    await this.#surface.close();
    await this.fake.close();
  }
}

/** Status and MLflow's code of a refusal. */
export async function refusalOf(
  response: Response,
): Promise<{ status: number; code: string; message: string }> {
  const { error_code: code, message } = mlflowError.parse(await response.json());
  return { status: response.status, code, message };
}
