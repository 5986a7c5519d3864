import { createServer, type Server } from 'node:https';
import { json } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import { ensureLocalAuthority } from '../../gateway/certificates/local-authority.ts';

/** The gateway as the shim sees it: `/lockstep/v1/leases/{id}/token` and `/exit`, and blobs that want the job's token. */
export interface LeaseEndpoint {
  readonly url: string;
  /** PEM file of the authority behind its certificate. */
  readonly authorityFile: string;
  readonly secret: string;
  /** What the next token requests are answered with. */
  mode: 'serve' | 'ended' | 'unavailable';
  tokenSeconds: number;
  /** Resources of the token requests that had the right secret, in order. */
  readonly asked: string[];
  readonly exits: unknown[];
  readonly refused: number;
  readonly blobs: Map<string, string>;
  /** Paths of the blobs that were read with a token of ours. */
  readonly read: string[];
  close(): Promise<void>;
}

/** Enforces the real endpoint's contract: the secret, the shape of the request, the codes of its refusals. */
export async function openLeaseEndpoint(
  directory: string,
  leaseId: string,
  secret: string,
): Promise<LeaseEndpoint> {
  const { key, cert, caCertificatePath } = await ensureLocalAuthority(directory, []);
  let issued = 0;
  const state = {
    url: '',
    authorityFile: caCertificatePath,
    secret,
    mode: 'serve' as LeaseEndpoint['mode'],
    tokenSeconds: 300,
    asked: [] as string[],
    exits: [] as unknown[],
    refused: 0,
    blobs: new Map<string, string>(),
    read: [] as string[],
  };
  const server: Server = createServer({ key, cert }, (request, response) => {
    void (async () => {
      const reply = (status: number, body: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      };
      const path = request.url ?? '';
      if (request.method === 'GET') {
        const blob = state.blobs.get(path);
        if (!/^Bearer job-token-\d+$/.test(request.headers.authorization ?? '')) return reply(401, {});
        if (blob === undefined) return reply(403, { error: 'AuthorizationPermissionMismatch' });
        state.read.push(path);
        response.writeHead(200, { 'content-type': 'application/octet-stream' });
        return response.end(blob);
      }
      const body = await json(request);
      if (request.headers.authorization !== `Bearer ${secret}`) {
        state.refused++;
        return reply(403, { error: { code: 'invalid_client', message: 'wrong secret' } });
      }
      if (path === `/lockstep/v1/leases/${leaseId}/exit`) {
        state.exits.push(body);
        return response.writeHead(204).end();
      }
      if (path !== `/lockstep/v1/leases/${leaseId}/token`) return reply(403, {});
      if (state.mode === 'unavailable') return reply(503, { error: { code: 'draining', message: 'away' } });
      if (state.mode === 'ended') {
        return reply(403, {
          error: { code: 'lease_ended', message: 'The job behind this identity has ended.' },
        });
      }
      const { resource } = body as { resource: string };
      if (!resource.startsWith('https://')) {
        return reply(400, {
          error: { code: 'invalid_resource', message: 'No tokens are issued here for that.' },
        });
      }
      state.asked.push(resource);
      const now = Math.floor(Date.now() / 1000);
      return reply(200, {
        token_type: 'Bearer',
        access_token: `job-token-${++issued}`,
        expires_on: now + state.tokenSeconds,
        not_before: now,
        resource,
      });
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.url = `https://localhost:${(server.address() as AddressInfo).port}`;
  return Object.assign(state, {
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  });
}
