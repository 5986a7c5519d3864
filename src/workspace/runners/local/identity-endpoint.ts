import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { TokenAnswer } from './lease-client.ts';

export interface IdentityEndpointOptions {
  /** Per-job secret that the job's environment carries; it is worth nothing outside this machine. */
  readonly secret: string;
  readonly clientId: string;
  token(resource: string): Promise<TokenAnswer>;
}

export interface IdentityEndpoint {
  readonly port: number;
  /** The names that make Azure's SDKs find the endpoint. */
  readonly variables: Readonly<Record<string, string>>;
  close(): void;
}

interface Dialect {
  readonly path: string;
  readonly secretHeader: string;
  readonly apiVersion: string;
}

/** Azure App Service and Azure Machine Learning managed identity. learn.microsoft.com/azure/app-service/overview-managed-identity */
const appService: Dialect = {
  path: '/msi/token',
  secretHeader: 'x-identity-header',
  apiVersion: '2019-08-01',
};
const machineLearning: Dialect = { path: '/MSI/auth', secretHeader: 'secret', apiVersion: '2017-09-01' };
const dialects = [appService, machineLearning];

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, string | number>>;
}

/**
 * Serves the job's tokens on a loopback port, in two dialects. Refusals are 400 or 403, because clients retry 404, 410
 * and 5xx for a minute and more; only when the gateway stayed away for the whole hold time the answer is 503.
 */
export async function openIdentityEndpoint(options: IdentityEndpointOptions): Promise<IdentityEndpoint> {
  let authority = '';
  const server = createServer({ maxHeaderSize: 8192, headersTimeout: 5_000, requestTimeout: 10_000 });
  server.maxConnections = 64;
  server.on('request', (request, response) => {
    request.resume();
    void answer(request, authority, options).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(JSON.stringify(body));
    });
  });
  const port = await listen(server);
  authority = `127.0.0.1:${port}`;
  return {
    port,
    variables: {
      IDENTITY_ENDPOINT: `http://${authority}${appService.path}`,
      IDENTITY_HEADER: options.secret,
      MSI_ENDPOINT: `http://${authority}${machineLearning.path}`,
      MSI_SECRET: options.secret,
      DEFAULT_IDENTITY_CLIENT_ID: options.clientId,
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  request: IncomingMessage,
  authority: string,
  options: IdentityEndpointOptions,
): Promise<Answer> {
  const [path, query = ''] = splitOnce(request.url ?? '', '?');
  const dialect = dialects.find((candidate) => candidate.path === path);
  const problem = refusal(request, authority, dialect, options.secret);
  if (problem !== null || dialect === undefined) return refuse(403, problem ?? 'Forbidden.');
  const parameters = new URLSearchParams(query);
  if (parameters.getAll('api-version').join() !== dialect.apiVersion) {
    return refuse(400, `Send api-version=${dialect.apiVersion}, once.`);
  }
  const resources = parameters.getAll('resource');
  const resource = resources[0] ?? '';
  if (resources.length !== 1 || resource === '' || resource.length > 512) {
    return refuse(400, 'Name one resource.');
  }
  const token = await options.token(resource);
  switch (token.kind) {
    case 'token':
      return { status: 200, body: success(token, resource, options.clientId) };
    case 'ended':
      return refuse(403, token.message);
    case 'refused':
      return refuse(400, token.message);
    case 'away':
      return refuse(503, `Lockstep cannot be reached: ${token.message}`);
  }
}

/** Why a request is not the job's own, or null. A proxy, another site's script and a curious neighbour are not. */
function refusal(
  request: IncomingMessage,
  authority: string,
  dialect: Dialect | undefined,
  secret: string,
): string | null {
  if (request.headers.host !== authority) return 'The Host header is not this endpoint.';
  const forwarded = Object.keys(request.headers).find(
    (name) => name === 'forwarded' || name === 'via' || name.startsWith('x-forwarded-'),
  );
  if (forwarded !== undefined) return 'Forwarded requests are not answered.';
  if (request.headers.origin !== undefined) return 'Browsers are not answered.';
  if (dialect === undefined) return 'There is nothing at this path.';
  if (request.method !== 'GET') return 'Only GET is answered.';
  const presented = request.headers[dialect.secretHeader];
  if (typeof presented !== 'string' || !sameSecret(presented, secret)) {
    return `The header ${dialect.secretHeader} does not carry this job's secret.`;
  }
  return null;
}

/** Always strings, and the resource exactly as asked: MSAL files the token under it. */
function success(token: Extract<TokenAnswer, { kind: 'token' }>, resource: string, clientId: string) {
  return {
    access_token: token.token,
    token_type: 'Bearer',
    resource,
    expires_on: String(token.expiresAt),
    expires_in: String(Math.max(0, token.expiresAt - Math.floor(Date.now() / 1000))),
    not_before: String(token.issuedAt),
    client_id: clientId,
  };
}

function refuse(status: number, message: string): Answer {
  return {
    status,
    body: { statusCode: status, message, error: 'access_denied', error_description: message },
  };
}

/** In constant time: both are hashed first, so that not even the length shows. */
function sameSecret(presented: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(presented), digest(secret));
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no port was given'));
      else resolve(address.port);
    });
  });
}
