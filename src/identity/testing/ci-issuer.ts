import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

/** What the issuer answers instead of its documents, for tests of outages and of hostile issuers. */
export interface Misbehaviour {
  discovery?: Record<string, unknown>;
  status?: number;
  redirectTo?: string;
  bytes?: number;
}

export interface CiIssuer {
  readonly issuer: string;
  readonly requests: string[];
  misbehave: Misbehaviour;
  /** The published keys; may be changed. */
  keys: JWK[];
  addKey(algorithm: string, kid: string): Promise<CryptoKey>;
  /** A token as GitHub Actions issues them; claims are overridden, `undefined` removes one. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Signs with another key than the published one. */
  sign(
    claims: Record<string, unknown>,
    key: CryptoKey,
    header: { alg: string; kid?: string },
  ): Promise<string>;
  close(): Promise<void>;
}

/** Made once per process: what is tested is never the making of a key. */
let firstKey: ReturnType<typeof generateKeyPair> | null = null;

/** A local OpenID Connect issuer with keys of its own, whose tokens have GitHub Actions' claims. */
export async function startCiIssuer(now: () => number = () => Date.now()): Promise<CiIssuer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    const { status, redirectTo, bytes } = self.misbehave;
    if (redirectTo !== undefined) {
      response.writeHead(302, { location: redirectTo }).end();
      return;
    }
    if (status !== undefined) {
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
      return;
    }
    const document =
      path === '/.well-known/openid-configuration'
        ? { issuer: self.issuer, jwks_uri: `${self.issuer}/jwks`, ...self.misbehave.discovery }
        : { keys: self.keys };
    const padding = bytes === undefined ? '' : ' '.repeat(bytes);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document) + padding);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const privateKeys = new Map<string, CryptoKey>();
  let serial = 0;
  const self: CiIssuer = {
    issuer: `http://127.0.0.1:${port}`,
    requests,
    misbehave: {},
    keys: [],
    async addKey(algorithm, kid) {
      const made =
        kid === 'ci-1'
          ? (firstKey ??= generateKeyPair('RS256', { extractable: true }))
          : generateKeyPair(algorithm, { extractable: true });
      const { publicKey, privateKey } = await made;
      self.keys.push({ ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' });
      privateKeys.set(kid, privateKey);
      return privateKey;
    },
    async token(claims = {}, header = {}) {
      const seconds = Math.floor(now() / 1000);
      const all: Record<string, unknown> = {
        iss: self.issuer,
        aud: 'api://AzureADTokenExchange',
        sub: 'repo:contoso/penguins:environment:training',
        jti: `run-${++serial}`,
        iat: seconds,
        nbf: seconds - 5,
        exp: seconds + 300,
        repository: 'contoso/penguins',
        repository_id: '424242',
        repository_owner: 'contoso',
        repository_owner_id: '99',
        environment: 'training',
        ref: 'refs/heads/main',
        ref_protected: 'true',
        sha: '0123456789abcdef0123456789abcdef01234567',
        actor: 'ada',
        run_id: '77001',
        run_attempt: '1',
        job_workflow_ref: 'contoso/penguins/.github/workflows/train.yml@refs/heads/main',
        ...claims,
      };
      const key = privateKeys.get('ci-1');
      if (key === undefined) throw new Error('the issuer has no key ci-1');
      return self.sign(all, key, { alg: 'RS256', kid: 'ci-1', ...header });
    },
    async sign(claims, key, header) {
      return new SignJWT(claims).setProtectedHeader({ typ: 'JWT', ...header }).sign(key);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await self.addKey('RS256', 'ci-1');
  return self;
}
