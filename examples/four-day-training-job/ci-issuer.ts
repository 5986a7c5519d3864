// Plays the OIDC issuer of a CI system: its own process, its own keys, tokens with GitHub Actions' claims.
// A CI run asks for a token the way a GitHub Actions step does: GET the request URL with the run's request token.
// Prints one JSON line { issuer, runs: { <name>: { requestUrl, requestToken } } } once it listens.
import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** What differs between the runs that the story and its hostile twin need. */
const runs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  production: { environment: 'production', ref: 'refs/heads/main', event_name: 'push', run_id: '7001' },
  staging: { environment: 'staging', ref: 'refs/heads/main', event_name: 'push', run_id: '7002' },
  fork: { repository: 'mallory/penguins', repository_id: '666', repository_owner_id: '667', run_id: '7003' },
};
const repository = {
  repository: 'palmer/penguins',
  repository_id: '4242',
  repository_owner: 'palmer',
  repository_owner_id: '4200',
};
const lifetimeSeconds = 300;

const { publicKey, privateKey } = await generateKeyPair('RS256');
const kid = randomUUID();
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }] };
const requestTokens = new Map(Object.keys(runs).map((name) => [name, randomBytes(24).toString('base64url')]));

const server = createServer((request, response) => {
  answer(request).then(
    ({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
    () => response.writeHead(500).end(),
  );
});
server.listen(0, '127.0.0.1', () => {
  const offered = Object.fromEntries(
    [...requestTokens].map(([name, requestToken]) => [
      name,
      { requestUrl: `${issuer()}/token/${name}?api-version=2.0`, requestToken },
    ]),
  );
  console.log(JSON.stringify({ issuer: issuer(), runs: offered }));
});
process.stdin.resume().on('end', () => process.exit(0));

function issuer(): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the issuer does not listen yet');
  return `http://127.0.0.1:${address.port}`;
}

async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  const url = new URL(request.url ?? '/', issuer());
  if (url.pathname === '/.well-known/openid-configuration') {
    return {
      status: 200,
      body: {
        issuer: issuer(),
        jwks_uri: `${issuer()}/jwks`,
        id_token_signing_alg_values_supported: ['RS256'],
      },
    };
  }
  if (url.pathname === '/jwks') return { status: 200, body: jwks };
  const name = /^\/token\/([a-z]+)$/.exec(url.pathname)?.[1] ?? '';
  const run = runs[name];
  const expected = requestTokens.get(name);
  if (run === undefined || expected === undefined) return { status: 404, body: { message: 'no such run' } };
  const presented = request.headers.authorization?.replace(/^bearer /i, '') ?? '';
  if (!sameSecret(presented, expected))
    return { status: 401, body: { message: 'not the request token of this run' } };
  return {
    status: 200,
    body: { value: await token(run, url.searchParams.get('audience') ?? 'https://github.com/palmer') },
  };
}

async function token(run: Readonly<Record<string, string>>, audience: string): Promise<string> {
  const claims = {
    ...repository,
    workflow: 'train',
    actor: 'ada',
    runner_environment: 'github-hosted',
    sha: '5d41402abc4b2a76',
    ...run,
  };
  const subject = `repo:${claims.repository}:${run['environment'] ? `environment:${run['environment']}` : 'pull_request'}`;
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
    .setIssuer(issuer())
    .setSubject(subject)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt()
    .setNotBefore('0s')
    .setExpirationTime(`${lifetimeSeconds}s`)
    .sign(privateKey);
}

function sameSecret(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
