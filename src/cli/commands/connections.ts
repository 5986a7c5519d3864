import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { table } from '../output/table.ts';

const connectionSchema = z.object({
  name: z.string(),
  kind: z.string(),
  scope: z.string(),
  requests: z.number(),
  waiting: z.number(),
  webSockets: z.number(),
  addresses: z.array(
    z.object({
      address: z.string(),
      state: z.enum(['closed', 'open', 'half-open', 'failing']),
      since: z.string(),
      why: z.string().nullable(),
      outstanding: z.number(),
    }),
  ),
});
const listSchema = z.object({ value: z.array(connectionSchema) });

/** The state of an address in the words of whoever has to mend it. */
const shownState = {
  closed: 'in use',
  open: 'not asked',
  'half-open': 'tried again',
  failing: 'unhealthy',
} as const;

export function addConnections(program: Command, context: CliContext): void {
  program
    .command('connections')
    .description('The protected upstreams and how they are; needs Lockstep.Access/connections/read.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const { value } = await client.json('admin', 'GET', '/admin/v1/connections', listSchema);
      const rows = value.flatMap((connection) =>
        connection.addresses.map((address, at) => ({ connection, address, first: at === 0 })),
      );
      const shown = table(
        rows,
        [
          { title: 'CONNECTION', value: ({ connection, first }) => (first ? connection.name : '') },
          { title: 'KIND', value: ({ connection, first }) => (first ? connection.kind : '') },
          { title: 'ADDRESS', value: ({ address }) => address.address },
          { title: 'STATE', value: ({ address }) => shownState[address.state] },
          { title: 'SINCE', value: ({ address }) => moment(address.since) },
          { title: 'UNDER WAY', value: ({ address }) => String(address.outstanding), align: 'right' },
          {
            title: 'WAITING',
            value: ({ connection, first }) => (first ? String(connection.waiting) : ''),
            align: 'right',
          },
          { title: 'WHY', value: ({ address }) => address.why },
        ],
        call.style,
        call.width,
      );
      call.result(value, shown === '' ? 'No connection is configured.' : shown);
    });
}
