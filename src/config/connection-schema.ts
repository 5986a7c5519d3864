import { z } from 'zod';
import { hasScopeForm, scopeForms } from '../lib/scope-form.ts';
import { headerName, headerValue } from './header-schema.ts';
import { nearestKey } from './nearest-key.ts';
import { secretReference } from './secret-reference.ts';

const anAddress = 'must be an http or https address, such as `http://127.0.0.1:5000`';
const address = z
  .url({ protocol: /^https?$/, error: `${anAddress}.` })
  .refine(isBare, 'an address has no credentials, query or fragment; credentials are said by `credential`.');

function isBare(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password, search, hash } = new URL(text);
  return `${username}${password}${search}${hash}` === '';
}

/** What a header may tell of who calls. */
export const identityFacts = ['id', 'userPrincipalName', 'displayName', 'groupIds', 'groupNames'] as const;

const webRule = z.strictObject({
  methods: z.array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])).min(1),
  path: z
    .string()
    .startsWith('/')
    .describe('Route pattern: `:name` is one segment, a trailing `*` is the rest.'),
  action: z
    .string()
    .regex(/^[\w.]+(\/[\w.$-]+)+$/, 'must be an operation, such as `Contoso.Tracker/runs/read`.')
    .describe('Operation name that the caller needs, such as `Contoso.Tracker/runs/read`.'),
  dataAction: z
    .boolean()
    .default(false)
    .describe('Match the operation against dataActions instead of actions.'),
  upgrade: z
    .literal('websocket')
    .optional()
    .describe('Whether GET may open a WebSocket on this route. Left out: no.'),
});

const noScope = `nothing can lie there. Say \`workspace\`, \`workspace/TYPE/NAME…\`, or in full ${scopeForms.join(', ')}.`;

/** A scope in full, or the short name of the server's own workspace, with what follows it. */
const connectionScope = z
  .string()
  .meta({ pattern: '^(?:\\/|workspace(?:\\/[^/]+)*$)' })
  .check(({ value, issues }) => {
    if (value.startsWith('/') ? hasScopeForm(value) : /^workspace(?:\/[^/]+)*$/.test(value)) return;
    const [first = '', ...rest] = value.split('/');
    const meant = nearestKey(first, ['workspace']);
    const suggestion = meant === null || meant === first ? {} : { suggestion: [meant, ...rest].join('/') };
    issues.push({ code: 'custom', message: noScope, input: value, params: suggestion });
  });

const headerText = z.union([headerValue, secretReference], {
  error:
    'must be one line of printable ASCII, or a secret by reference, { "file": path } or { "env": name }.',
});

/** What a connection has whatever its adapter. */
const anyConnection = {
  upstream: z
    .union([address, z.array(address).min(1).max(64)], {
      error: ({ input }) =>
        input === undefined ? 'is missing.' : `${anAddress}, or a list of such addresses.`,
    })
    .describe('Address of the protected upstream, or a list of addresses that do the same.'),
  protocol: z
    .enum(['http1', 'http2', 'h2c'])
    .default('http1')
    .describe(
      'How the upstream is spoken to: HTTP/1.1, HTTP/2 as TLS agrees on it (https only), or HTTP/2 in clear by prior knowledge (http only), as gRPC servers within a cluster speak it.',
    ),
  scope: connectionScope.describe(
    'Scope at which its operations are decided: `workspace`, `workspace/TYPE/NAME…`, or one in full.',
  ),
  credential: z
    .strictObject({
      header: headerName.default('authorization'),
      value: secretReference.describe('The whole header value, prefix included.'),
    })
    .optional()
    .describe('How Lockstep authenticates to the upstream; callers never see it.'),
  headers: z
    .record(headerName, headerText)
    .default({})
    .describe(
      'Further headers of every request: a text, or a secret by reference. A caller’s of the same name never pass.',
    ),
  identityHeaders: z
    .strictObject({
      upstreamIsReachableOnlyThroughLockstep: z
        .literal(true, {
          error:
            'whoever reaches the upstream past Lockstep can be anybody there: see to it that nobody can (a loopback address, a network policy, a client certificate), then say true.',
        })
        .describe('That nobody else can send the upstream a request. Without it, the setting is refused.'),
      headers: z
        .record(headerName, z.enum(identityFacts))
        .describe(
          'Headers that tell the upstream who calls, by what they hold: `id`, `userPrincipalName` (the id, for a workload), `displayName`, `groupIds`, `groupNames`.',
        ),
    })
    .optional()
    .describe('For upstreams that take an identity from a header and cannot check the signed assertion.'),
  timeouts: z
    .strictObject({
      connectSeconds: z.number().min(0.1).max(120).default(5).describe('Until a connection stands.'),
      headSeconds: z
        .number()
        .min(0)
        .max(86_400)
        .default(300)
        .describe(
          'From the last byte of a request to the end of the head of its answer; 0 for any time (long polling).',
        ),
      idleSeconds: z
        .number()
        .min(0)
        .max(86_400)
        .default(900)
        .describe(
          'How long the body of an answer may stand still; 0 for any time, which a stream of events always has.',
        ),
    })
    .prefault({})
    .describe(
      'How long the upstream may take. The caller is told with 504, or by a transfer that breaks off.',
    ),
  concurrency: z
    .strictObject({
      requests: z.int().min(1).max(65_536).default(512).describe('Requests under way at the same time.'),
      waiting: z
        .int()
        .min(0)
        .max(65_536)
        .default(1024)
        .describe('Requests that wait for one of them to end; more are refused with 503.'),
      waitSeconds: z
        .number()
        .min(0.1)
        .max(600)
        .default(10)
        .describe('How long one waits before it is refused with 503.'),
      perCaller: z
        .int()
        .min(1)
        .max(65_536)
        .optional()
        .describe(
          'Requests of one caller, those that wait among them, and what the gateway has to ask to decide theirs, up to eight things at once; more are refused with 429. Default: half of `requests`.',
        ),
      webSockets: z.int().min(0).max(65_536).default(4096).describe('WebSockets at the same time.'),
      webSocketsPerCaller: z
        .int()
        .min(1)
        .max(65_536)
        .optional()
        .describe('WebSockets of one caller; more are refused with 429. Default: half of `webSockets`.'),
    })
    .prefault({})
    .describe('What one upstream may take of the process.'),
  circuit: z
    .strictObject({
      failures: z
        .int()
        .min(1)
        .max(1000)
        .default(5)
        .describe(
          'After so many failures in a row an address is not asked for a while: no connection, or no answer in time while nobody else was answered.',
        ),
      openSeconds: z
        .number()
        .min(0.1)
        .max(3600)
        .default(1)
        .describe('For how long at first; twice as long each time that it fails again.'),
      longestSeconds: z.number().min(0.1).max(3600).default(30).describe('For how long at most.'),
      statuses: z
        .array(z.int().min(500).max(599))
        .default([])
        .describe(
          'Statuses that count as failures too, such as 503. Whoever can make the upstream answer so can close it to others.',
        ),
    })
    .prefault({})
    .describe('When an address that does not answer is no longer asked.'),
  health: z
    .strictObject({
      path: z
        .string()
        .max(2048)
        .regex(/^\/[!-"$-~]*$/, 'must be a path in printable ASCII.')
        .refine((path) => !/(^|\/)(\.|%2e){1,2}(\/|\?|$)/i.test(path), 'must not lead elsewhere (`..`).')
        .describe('What is asked for with GET, beneath the address; an answer of 2xx is healthy.'),
      intervalSeconds: z.number().min(1).max(3600).default(10),
      timeoutSeconds: z.number().min(0.1).max(300).default(5),
      failures: z.int().min(1).max(100).default(3).describe('So many in a row, and the address is not used.'),
      passes: z.int().min(1).max(100).default(2).describe('So many in a row, and it is used again.'),
    })
    .optional()
    .describe(
      'Asks each address by itself whether it is well. Left out: what becomes of requests has to tell.',
    ),
  tls: z
    .strictObject({
      authorities: z
        .string()
        .optional()
        .describe(
          'PEM file of the authorities that the upstream’s certificate is checked against, in place of the system’s; a self-signed one is its own.',
        ),
      serverName: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i, 'must be the name of a host, such as `tracker.internal`.')
        .optional()
        .describe('Name that the upstream’s certificate is for. Default: the host of its address.'),
      pins: z
        .array(
          z
            .string()
            .regex(
              /^sha256\/\/[A-Za-z0-9+/]{43}=$/,
              'must be `sha256//` and a hash in base64, as curl prints it.',
            ),
        )
        .default([])
        .describe('Hashes of public keys, one of which must be the upstream’s: `sha256//…`.'),
      certificate: z
        .string()
        .optional()
        .describe('PEM file of the certificate that Lockstep shows the upstream.'),
      key: secretReference.optional().describe('PEM of the key of that certificate.'),
    })
    .optional()
    .describe('How an https upstream is known, and Lockstep to it.'),
};

const assertion = z
  .boolean()
  .optional()
  .describe(
    'Whether each request carries a signed statement of who calls (`x-lockstep-assertion`). An upstream that does not check it can do without; the signature is about a tenth of what a small request costs. Default: yes.',
  );

/** Of a kind that there is not: what is the same for all. */
export const connectionOfNoKind = z.object(anyConnection);

export const connection = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('web').describe('Any HTTP upstream; `rules` says which operation a request is.'),
    ...anyConnection,
    assertion,
    rules: z.array(webRule).describe('What is not listed here is denied.'),
  }),
  z.strictObject({
    kind: z.literal('mlflow').describe('An MLflow tracking server; what its routes mean is known.'),
    ...anyConnection,
    assertion,
    workspace: z
      .string()
      .regex(
        /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
        'must be the name of a workspace: at most 63 lower-case letters, digits and hyphens within.',
      )
      .nullable()
      .default(null)
      .describe('The workspace that this connection stands for, where the server has several.'),
  }),
  z.strictObject({
    kind: z
      .literal('jupyter')
      .describe('A jupyter-server, with JupyterLab or without; its routes and their actions are known.'),
    ...anyConnection,
    isolatedKernels: z
      .boolean()
      .default(false)
      .describe(
        'Whether each kernel sees no more than the directory of its notebook: using it is then a right at that directory. If not, it is one at the connection.',
      ),
  }),
  z.strictObject({
    kind: z
      .literal('jupyterhub')
      .describe(
        'A JupyterHub that believes Lockstep: people have servers of their own, at `{scope}/own/{object id}`. Seen at a host of its own.',
      ),
    ...anyConnection,
  }),
]);

export const connectionKinds = connection.options.map(({ shape }) => shape.kind.value);
