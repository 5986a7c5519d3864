import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import { accessToken } from '../connection/tokens.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';

const schema = z.object({ connection: z.string().optional(), resource: z.string().optional() });

/** Whoever is given a token cannot renew it: one that has less left is not handed on while there are longer ones. */
const handedOnMilliseconds = 30 * 60_000;

export function addToken(program: Command, context: CliContext): void {
  program
    .command('token')
    .description('Print an access token of yours, for a client that cannot get one itself.')
    .option('--connection <name>', 'For a protected upstream, by its name in the configuration.')
    .option('--resource <uri>', 'For a resource, such as https://management.azure.com.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(schema);
      const resource = resourceOf(options);
      const client = await call.client();
      const token = await accessToken(client.options, resource, handedOnMilliseconds).catch(
        (error: unknown) => {
          if (!(error instanceof CliError) || !unknownResource.has(error.code ?? '')) throw error;
          const message = `${client.server} serves no resource ${resource}.`;
          const connection = options.connection;
          const hint = connection === undefined ? {} : { hint: notConfigured(connection) };
          throw new CliError('not-found', message, { ...hint, cause: error });
        },
      );
      call.result({ resource, accessToken: token, expiresAt: expiryOf(token) }, token);
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

const claimsSchema = z.object({ exp: z.number() });

/** ISO 8601. The token is ours, just received: it is read, not judged. */
function expiryOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return new Date(claimsSchema.parse(claims).exp * 1000).toISOString();
}
