import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import { accessToken } from '../connection/tokens.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { duration, timeOfDay } from '../output/amounts.ts';

const schema = z.object({ connection: z.string().optional(), resource: z.string().optional() });

/** Whoever is given a token cannot renew it: of one that is handed on so much of its life must be left. */
const handedOnShare = 3 / 4;

export function addToken(program: Command, context: CliContext): void {
  program
    .command('token')
    .description(
      'Print an access token of yours that has most of its life before it, for a client that cannot get one itself.',
    )
    .option('--connection <name>', 'For a protected upstream, by its name in the configuration.')
    .option('--resource <uri>', 'For a resource, such as https://management.azure.com.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(schema);
      const resource = resourceOf(options);
      const client = await call.client();
      const token = await accessToken(client.options, resource, isFresh).catch((error: unknown) => {
        if (!(error instanceof CliError) || !unknownResource.has(error.code ?? '')) throw error;
        const message = `${client.server} serves no resource ${resource}.`;
        const connection = options.connection;
        const hint = connection === undefined ? {} : { hint: notConfigured(connection) };
        throw new CliError('not-found', message, { ...hint, cause: error });
      });
      const { expiresAt } = lifeOf(token);
      if (context.terminal.watched) {
        call.note(`valid until ${timeOfDay(expiresAt)}, for ${duration(expiresAt - Date.now())}`);
      }
      call.result({ resource, accessToken: token, expiresAt: new Date(expiresAt).toISOString() }, token);
    });
}

function resourceOf({ connection, resource }: z.infer<typeof schema>): string {
  if (connection !== undefined && resource === undefined) return `api://lockstep/connections/${connection}`;
  if (resource !== undefined && connection === undefined) return resource;
  throw new CliError('usage', 'Name either --connection or --resource.');
}

function notConfigured(connection: string): string {
  return `Is there \`connections.${connection}\` in the configuration of the server, and was it started since? \`lockstep connections\` names those that it has.`;
}

/** RFC 8707 §2, and what Entra says instead. */
const unknownResource: ReadonlySet<string> = new Set(['invalid_target', 'invalid_resource']);

function isFresh({ accessToken: token, expiresAt }: { accessToken: string; expiresAt: number }): boolean {
  const life = lifeOf(token);
  return expiresAt - Date.now() >= (life.expiresAt - life.issuedAt) * handedOnShare;
}

const claimsSchema = z.object({ iat: z.number(), exp: z.number() });

/** Milliseconds since the epoch. The token is ours, received from the server: it is read, not judged. */
function lifeOf(token: string): { readonly issuedAt: number; readonly expiresAt: number } {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  const { iat, exp } = claimsSchema.parse(claims);
  return { issuedAt: iat * 1000, expiresAt: exp * 1000 };
}
