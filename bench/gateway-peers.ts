// What the gateway is measured beside: gates from Debian and the Go module proxy, each in front of the same upstream with the
// same certificate, token and processor core. One that is not installed is left out, and said so.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { goProgram } from '../test/interop/go-program.ts';
import { onCore } from './gateway-cores.ts';
import type { GatewayReady } from './gateway-house.ts';

export interface Gate {
  readonly name: string;
  /** Ends with a slash. */
  readonly url: string;
  /** Its processes are this one and those beneath it. */
  readonly pid: number;
}

export interface Surroundings {
  /** Ends by itself with the bench. */
  readonly directory: string;
  readonly gateway: GatewayReady;
  /** Ports of the upstream and of the authorizer that always says yes. */
  readonly upstream: number;
  readonly authorizer: number;
  keep(child: ChildProcess): void;
}

type Start = (around: Surroundings, port: number) => Promise<ChildProcess | { readonly missing: string }>;

const peers: Readonly<Record<string, Start>> = {
  'nginx, plain': (around, port) => nginx(around, port, 'plain', ''),
  'nginx, auth_request': (around, port) => nginx(around, port, 'auth', 'auth_request /authorize;'),
  'HAProxy, jwt_verify': haproxy,
  'Apache, mod_auth_openidc': apache,
  'oauth2-proxy': oauth2Proxy,
};

/** Whatever is installed of them, started and ready, and why the others are not. */
export async function startPeers(
  around: Surroundings,
): Promise<{ readonly gates: readonly Gate[]; readonly missing: readonly string[] }> {
  const gates: Gate[] = [];
  const missing: string[] = [];
  for (const [name, start] of Object.entries(peers)) {
    const port = await freePort();
    const child = await start(around, port);
    if ('missing' in child) {
      missing.push(`${name}: ${child.missing}`);
      continue;
    }
    around.keep(child);
    if (child.pid === undefined) throw new Error(`${name} did not start`);
    gates.push({ name, url: `https://localhost:${port}/`, pid: child.pid });
  }
  return { gates, missing };
}

/** nginx alone, in front of another upstream; null where it is not installed. */
export async function startNginxBefore(upstream: number, around: Surroundings): Promise<Gate | null> {
  const port = await freePort();
  const child = await nginx({ ...around, upstream }, port, `before-${upstream}`, '');
  if ('missing' in child) return null;
  around.keep(child);
  if (child.pid === undefined) throw new Error('nginx did not start');
  return { name: 'nginx, plain', url: `https://localhost:${port}/`, pid: child.pid };
}

/** GET /small answers 250 bytes; POST takes anything. nginx too, so that it is never what is waited for. */
export async function startUpstream(
  directory: string,
  keep: Surroundings['keep'],
): Promise<{ readonly upstream: number; readonly authorizer: number }> {
  const nginxPath = pathOf('nginx');
  if (nginxPath === null) throw new Error('the upstream is nginx: apt-get install nginx-light');
  const [upstream, authorizer] = [await freePort(), await freePort()];
  const answer = JSON.stringify({ id: 7, name: 'a small answer', padding: 'x'.repeat(200) });
  const config = `${nginxHead(directory, 'upstream')}
    server {
      listen 127.0.0.1:${upstream};
      default_type application/json;
      location / { return 200 '${answer}'; }
      location = /jwks { alias ${directory}/jwks.json; }
    }
    server { listen 127.0.0.1:${authorizer}; location / { return 204; } }
  }`;
  keep(startNginx(nginxPath, directory, 'upstream', config, 'load'));
  return { upstream, authorizer };
}

const many = 100_000_000;

function nginxHead(directory: string, name: string): string {
  return `user ${userInfo().username}; worker_processes 1; daemon off; pid ${directory}/${name}.pid; error_log ${directory}/${name}.log;
  events { worker_connections 4096; }
  http {
    access_log off; keepalive_requests ${many}; keepalive_timeout 300; client_max_body_size 0;
    client_body_temp_path ${directory}/${name}-body; proxy_temp_path ${directory}/${name}-proxy;
    fastcgi_temp_path ${directory}/${name}-f; uwsgi_temp_path ${directory}/${name}-u; scgi_temp_path ${directory}/${name}-s;`;
}

function startNginx(
  path: string,
  directory: string,
  name: string,
  config: string,
  core: 'gate' | 'load',
): ChildProcess {
  const file = join(directory, `${name}.conf`);
  writeFileSync(file, config);
  return start(core, path, ['-e', join(directory, `${name}.log`), '-c', file]);
}

async function nginx(
  around: Surroundings,
  port: number,
  name: string,
  rule: string,
): Promise<ChildProcess | { readonly missing: string }> {
  const path = pathOf('nginx');
  if (path === null) return { missing: 'apt-get install nginx-light' };
  const { directory, upstream, authorizer } = around;
  const config = `${nginxHead(directory, name)}
    upstream served { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests ${many}; }
    upstream authorizer { server 127.0.0.1:${authorizer}; keepalive 128; keepalive_requests ${many}; }
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {
      listen 127.0.0.1:${port} ssl;
      ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;
      location / { ${rule} proxy_pass http://served; }
      location = /events { ${rule} proxy_pass http://served; proxy_buffering off; }
      location = /socket { ${rule} proxy_pass http://served; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
      location = /authorize {
        internal; proxy_pass http://authorizer; proxy_pass_request_body off; proxy_set_header Content-Length "";
      }
    }
  }`;
  return startNginx(path, directory, name, config, 'gate');
}

async function haproxy({ directory, gateway, upstream }: Surroundings, port: number) {
  const path = pathOf('haproxy');
  if (path === null) return { missing: 'apt-get install haproxy' };
  writeFileSync(join(directory, 'both.pem'), gateway.cert + gateway.key);
  writeFileSync(join(directory, 'token-key.pem'), gateway.tokenKey);
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend gate
  bind 127.0.0.1:${port} ssl crt ${directory}/both.pem
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${gateway.issuer} }
  http-request deny deny_status 401 unless { var(txn.aud) -m str ${gateway.audience} }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${directory}/token-key.pem") 1 }
  default_backend served
backend served
  server only 127.0.0.1:${upstream}
`,
  );
  return start('gate', path, ['-db', '-f', file]);
}

async function apache({ directory, gateway, upstream }: Surroundings, port: number) {
  const path = pathOf('apache2');
  if (path === null) return { missing: 'apt-get install apache2 libapache2-mod-auth-openidc' };
  const modules = [
    'mpm_event',
    'authn_core',
    'authz_core',
    'authz_user',
    'ssl',
    'socache_shmcb',
    'proxy',
    'proxy_http',
    'auth_openidc',
  ];
  const file = join(directory, 'apache.conf');
  writeFileSync(
    file,
    `${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
ServerName localhost
ServerRoot ${directory}
PidFile ${directory}/apache.pid
DefaultRuntimeDir ${directory}
User nobody
Group nogroup
ErrorLog ${directory}/apache.log
Listen 127.0.0.1:${port}
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
KeepAliveTimeout 300
SSLEngine on
SSLCertificateFile ${directory}/cert.pem
SSLCertificateKeyFile ${directory}/key.pem
OIDCCryptoPassphrase of-the-bench
OIDCOAuthVerifyCertFiles ${gateway.tokenKeyId}#${directory}/token-cert.pem
OIDCOAuthRemoteUserClaim sub
<Location />
  AuthType oauth20
  Require claim iss:${gateway.issuer}
  ProxyPass http://127.0.0.1:${upstream}/ keepalive=On max=64
</Location>
`,
  );
  writeFileSync(join(directory, 'token-cert.pem'), gateway.tokenCertificate);
  return start('gate', path, ['-X', '-f', file]);
}

async function oauth2Proxy({ directory, gateway, upstream }: Surroundings, port: number) {
  const cache = join(import.meta.dirname, '..', '.cache', 'bench');
  mkdirSync(cache, { recursive: true });
  const tool = 'github.com/oauth2-proxy/oauth2-proxy/v7';
  const built = await goProgram(join(import.meta.dirname, 'oauth2-proxy'), cache, tool);
  if ('missing' in built) return built;
  return start('gate', built.program, [
    '--provider=oidc',
    `--oidc-issuer-url=${gateway.issuer}`,
    '--skip-oidc-discovery',
    `--oidc-jwks-url=http://127.0.0.1:${upstream}/jwks`,
    `--login-url=${gateway.issuer}/authorize`,
    `--redeem-url=${gateway.issuer}/token`,
    `--client-id=${gateway.audience}`,
    '--client-secret=of-the-bench',
    `--cookie-secret=${'0123456789abcdef'.repeat(2)}`,
    '--email-domain=*',
    '--oidc-email-claim=sub',
    '--insecure-oidc-allow-unverified-email',
    '--skip-jwt-bearer-tokens',
    `--upstream=http://127.0.0.1:${upstream}`,
    '--http-address=',
    `--https-address=127.0.0.1:${port}`,
    `--tls-cert-file=${directory}/cert.pem`,
    `--tls-key-file=${directory}/key.pem`,
    '--standard-logging=false',
    '--request-logging=false',
    '--auth-logging=false',
  ]);
}

function start(core: 'gate' | 'load', path: string, args: readonly string[]): ChildProcess {
  const [command, ...rest] = onCore(core, [path, ...args]);
  return spawn(command, rest, {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, GOMAXPROCS: '1' },
  });
}

function pathOf(program: string): string | null {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin`;
  try {
    return execFileSync('which', [program], { env: { PATH: path }, encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
