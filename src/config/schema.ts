import { z } from 'zod';
import { connection } from './connection-schema.ts';

const seconds = (fallback: number, minimum: number, maximum: number) =>
  z.int().min(minimum).max(maximum).default(fallback);

const guid = z
  .guid({ error: 'must be a GUID, such as `3fbff2e1-21bb-4228-ad75-beee79e782f5`.' })
  .transform((text) => text.toLowerCase());

const connectionName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,40}$/,
    'is not the name of a connection: a lower-case letter, then at most 40 lower-case letters, digits and hyphens, for it becomes a part of a host.',
  );

const environment = z.strictObject({
  path: z.array(z.string()).describe('Directories of the job’s PATH.'),
  nodeModules: z.string().optional().describe('A node_modules directory that jobs see as their own.'),
  variables: z
    .record(z.string(), z.string())
    .default({})
    .describe('Environment variables set for every job.'),
});

/** Every setting: described, safely defaulted, strict. `docs/reference/config.md` is generated from it. */
export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1').describe('Address to listen on.'),
      port: z.int().min(0).max(65_535).default(8443).describe('Port to listen on; 0 picks a free one.'),
    })
    .prefault({})
    .describe('The HTTPS listener.'),
  publicUrl: z
    .url({ protocol: /^https$/, error: 'must be an https address, such as `https://lockstep.example`.' })
    .optional()
    .describe('How clients address Lockstep. Default: https://localhost:{port}.'),
  baseDomain: z
    .string()
    .default('localhost')
    .describe('Domain under which connections and storage accounts have hosts.'),
  tls: z
    .strictObject({ certificate: z.string(), key: z.string() })
    .optional()
    .describe('PEM files of your own certificate. Default: one from a local authority made on first start.'),
  log: z
    .strictObject({ level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info') })
    .prefault({})
    .describe('What is written to standard error, one JSON object a line.'),
  tokens: z
    .strictObject({
      userSeconds: seconds(3600, 60, 86_400).describe('Life of an access token of a signed-in person.'),
      applicationSeconds: seconds(3600, 5, 86_400).describe('Life of an access token of an application.'),
      jobSeconds: seconds(300, 5, 3600).describe(
        'Life of a job’s access token; it is renewed while the job lives.',
      ),
      signingKeyDays: z
        .number()
        .positive()
        .max(365)
        .default(30)
        .describe('How long a signing key signs before it is replaced.'),
    })
    .prefault({})
    .describe('Access tokens and the keys that sign them.'),
  sessions: z
    .strictObject({
      absoluteHours: z.number().positive().max(720).default(12).describe('Longest life of a sign-in.'),
      idleMinutes: z
        .number()
        .positive()
        .max(43_200)
        .default(120)
        .describe('A sign-in unused for so long is ended.'),
    })
    .prefault({})
    .describe('Sign-ins of people.'),
  local: z
    .strictObject({
      maxRunning: z
        .int()
        .min(1)
        .max(256)
        .default(4)
        .describe('Jobs that run at the same time; others queue.'),
      cancelGraceSeconds: z
        .number()
        .min(0)
        .max(600)
        .default(5)
        .describe('Between SIGTERM and SIGKILL of a canceled job.'),
      environments: z
        .record(z.string(), environment)
        .default({})
        .describe('What an environment asset’s `image` may name on this machine.'),
    })
    .prefault({})
    .describe('The compute `local`: jobs as processes of this machine.'),
  connections: z.record(connectionName, connection).default({}).describe('Protected upstreams by name.'),
  limits: z
    .strictObject({
      jsonBytes: z.int().min(1024).max(16_777_216).default(1_048_576).describe('Largest JSON or form body.'),
      blobBytes: z.int().min(1024).default(5_497_558_138_880).describe('Largest body of one upload request.'),
      unfinishedBytes: z
        .int()
        .min(1_048_576)
        .default(134_217_728)
        .describe(
          'Memory for what callers have begun to send: bodies that are to be read whole and decided on, WebSocket messages that have no end yet or wait for a slow receiver.',
        ),
      unfinishedBytesPerCaller: z
        .int()
        .min(1_048_576)
        .default(33_554_432)
        .describe('The same of one caller, who never holds more than is left for others either.'),
      drainSeconds: z
        .number()
        .min(0)
        .max(600)
        .default(10)
        .describe('How long a stop waits for requests in flight.'),
    })
    .prefault({})
    .describe('Bounds.'),
  policy: z
    .strictObject({
      staleSeconds: z
        .number()
        .min(1)
        .max(3600)
        .default(10)
        .describe(
          'Policy that has had no word of changes for longer is not decided on: everything is denied.',
        ),
      revisionWaitMilliseconds: z
        .int()
        .min(0)
        .max(30_000)
        .default(1000)
        .describe(
          'How long a request may wait for the policy revision that it demands, before it is refused.',
        ),
    })
    .prefault({})
    .describe('How policy is kept up to date.'),
  ledger: z
    .strictObject({
      publishMilliseconds: z
        .int()
        .min(10)
        .max(60_000)
        .default(200)
        .describe('How often a new checkpoint is signed, if there is news.'),
      ocsf: z
        .enum(['1.8', '1.9'])
        .default('1.8')
        .describe(
          'Version of OCSF in which events are answered. The log is written in 1.8 whatever is said here.',
        ),
      witnessPolicy: z
        .string()
        .optional()
        .describe(
          'File that names the witnesses and their quorum (c2sp.org/tlog-policy). Only checkpoints that meet it are published. Default: no witnesses.',
        ),
      keyDays: z
        .number()
        .min(0)
        .max(3650)
        .default(365)
        .describe(
          'How long a key signs the log before another takes its place by itself; 0: only when asked.',
        ),
      keyOverlapDays: z
        .number()
        .min(0)
        .max(365)
        .default(30)
        .describe(
          'How long both sign then. Within it, auditors and witnesses have to come to know the new key.',
        ),
      retention: z
        .strictObject({
          keepDays: z
            .int()
            .min(1)
            .max(36_500)
            .optional()
            .describe(
              'Days after which events are removed from the database and forgotten by the log itself: whole bundles from its beginning, after a signed statement. Once a day. Default: everything is kept.',
            ),
          hold: z
            .boolean()
            .default(false)
            .describe('A legal hold: the log forgets nothing, whoever asks, for as long as this is set.'),
        })
        .prefault({})
        .describe('How long the log is kept.'),
    })
    .prefault({})
    .describe('The log.'),
  workspace: z
    .strictObject({
      subscriptionId: guid
        .optional()
        .describe('Subscription of the first workspace; made at init when left out.'),
      resourceGroup: z
        .string()
        .regex(/^[\w.()-]{1,90}$/, 'must be 1 to 90 letters, digits and `_.()-`.')
        .default('ml'),
      name: z
        .string()
        .regex(/^[\w-]{3,33}$/, 'must be 3 to 33 letters, digits, `_` and `-`.')
        .default('lab'),
      storageAccount: z
        .string()
        .regex(/^[a-z0-9]{3,24}$/, 'must be 3 to 24 lower-case letters and digits.')
        .default('labstore'),
    })
    .prefault({})
    .describe('The workspace that `init` creates.'),
});

export type ConfigInput = z.input<typeof configSchema>;
export type ParsedConfig = z.output<typeof configSchema>;
