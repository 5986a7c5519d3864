import type { Command } from 'commander';
import { z } from 'zod';
import type { Discovery } from '../connection/discovery.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { moment, timeOfDay } from '../output/amounts.ts';
import { table } from '../output/table.ts';
import { shortScope } from '../scopes.ts';

const addressSchema = z.object({
  address: z.string(),
  state: z.enum(['not-tried', 'up', 'failing', 'down', 'probing', 'unhealthy']),
  failures: z.number().nullable(),
  failureLimit: z.number().nullable(),
  askedAgainAt: z.string().nullable(),
  lastError: z.string().nullable(),
  since: z.string(),
  outstanding: z.number(),
});
const connectionSchema = z.object({
  name: z.string(),
  kind: z.string(),
  scope: z.string(),
  browserUrl: z.string(),
  programUrl: z.string(),
  requests: z.number(),
  waiting: z.number(),
  webSockets: z.number(),
  addresses: z.array(addressSchema),
});
const listSchema = z.object({
  value: z.array(connectionSchema),
  configurationChangedAt: z.string().nullable(),
});

type Connection = z.infer<typeof connectionSchema>;
type Address = z.infer<typeof addressSchema>;

const nothing = `No connection is configured.
They are configured under \`connections\` in the server’s config.json, which is read at its start: after editing, check it with
\`lockstep config check\` and start the server again.`;

export function addConnections(program: Command, context: CliContext): void {
  program
    .command('connections')
    .description(
      'The protected upstreams, where they are reached and how they are; needs Lockstep.Access/connections/read.',
    )
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const listed = await client.json('admin', 'GET', '/admin/v1/connections', listSchema);
      const { value, configurationChangedAt: changedAt } = listed;
      call.result(value, value.length === 0 ? nothing : shownTables(call, value, await client.discovery()));
      if (changedAt !== null) {
        const when = moment(changedAt);
        call.note(
          `The server’s configuration was changed at ${when}, after its start: start it again to use that.`,
        );
      }
    });
}

/** How they are, then where they are reached and at which scope roles are given for them: both in one table would be wider than terminals are. */
function shownTables(
  { style, width }: Invocation,
  connections: readonly Connection[],
  places: Discovery,
): string {
  const addresses = connections.flatMap((connection) =>
    connection.addresses.map((address, at) => ({ connection: at === 0 ? connection : null, address })),
  );
  const how = table(
    addresses,
    [
      { title: 'CONNECTION', value: ({ connection }) => connection?.name ?? null },
      { title: 'KIND', value: ({ connection }) => connection?.kind ?? null },
      { title: 'STATE', value: ({ address }) => stateOf(address) },
      { title: 'SINCE', value: ({ address }) => moment(address.since) },
      { title: 'ADDRESS', value: ({ address }) => address.address },
      { title: 'UNDER WAY', value: ({ address }) => some(address.outstanding), align: 'right' },
      { title: 'WAITING', value: ({ connection }) => some(connection?.waiting), align: 'right' },
      { title: 'LAST ERROR', value: ({ address }) => address.lastError },
    ],
    style,
    width,
  );
  const where = table(
    connections,
    [
      { title: 'CONNECTION', value: ({ name }) => name },
      { title: 'BROWSER', value: ({ browserUrl }) => browserUrl },
      { title: 'PROGRAMS', value: ({ programUrl }) => programUrl },
      { title: 'SCOPE', value: ({ scope }) => shortScope(scope, places) },
    ],
    style,
    width,
  );
  return `${how}\n\n${where}`;
}

/** In the words of whoever has to mend it. */
function stateOf({ state, failures, failureLimit, askedAgainAt }: Address): string {
  switch (state) {
    case 'not-tried':
      return 'not tried yet';
    case 'up':
      return 'up';
    case 'failing':
      return `failing (${failureLimit === null ? `${failures} in a row` : `${failures} of ${failureLimit}`})`;
    case 'down':
      return askedAgainAt === null
        ? 'down, the next request asks again'
        : `down, asked again at ${timeOfDay(askedAgainAt)}`;
    case 'probing':
      return 'probing';
    case 'unhealthy':
      return 'down by its health check';
  }
}

function some(amount: number | undefined): string | null {
  return amount === undefined || amount === 0 ? null : String(amount);
}
