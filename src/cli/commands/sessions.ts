import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { bytes, moment } from '../output/amounts.ts';
import { table } from '../output/table.ts';

const sessionSchema = z.object({
  id: z.string(),
  kind: z.enum(['stream', 'sign-in']),
  principal: z.object({ id: z.string(), displayName: z.string() }),
  startedAt: z.string(),
  /** What a stream does: its operation. */
  operation: z.string().nullable(),
  scope: z.string().nullable(),
  bytes: z.number().nullable(),
  sourceAddress: z.string().nullable(),
  expiresAt: z.string().nullable(),
});
const listOptions = z.object({ all: z.boolean() });

export function addSessions(program: Command, context: CliContext): void {
  const sessions = program.command('sessions').description('Live streams and sign-ins.');

  sessions
    .command('list')
    .description('List your live streams and sign-ins.')
    .option('--all', 'Everybody’s; needs Lockstep.Access/sessions/read.', false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { all } = call.options(listOptions);
      const client = await call.client();
      const { value } = await client.json(
        'admin',
        'GET',
        '/admin/v1/sessions',
        z.object({ value: z.array(sessionSchema) }),
        {
          query: all ? { all: 'true' } : {},
        },
      );
      const shown = table(
        value,
        [
          { title: 'SESSION', value: (row) => row.id },
          { title: 'KIND', value: (row) => row.kind },
          { title: 'WHO', value: (row) => row.principal.displayName },
          { title: 'SINCE', value: (row) => moment(row.startedAt) },
          { title: 'UNTIL', value: (row) => moment(row.expiresAt) },
          { title: 'FROM', value: (row) => row.sourceAddress },
          { title: 'MOVED', value: (row) => (row.bytes === null ? null : bytes(row.bytes)), align: 'right' },
          { title: 'OPERATION', value: (row) => row.operation },
        ],
        call.style,
        call.width,
      );
      call.result(value, shown === '' ? 'No live session.' : shown);
    });

  sessions
    .command('cut')
    .description('Cut a live stream, or end a sign-in and every token that came of it.')
    .argument('<session>', 'Id, as `lockstep sessions list` shows it.')
    .action(async (id: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const cut = await client.json(
        'admin',
        'POST',
        `/admin/v1/sessions/${encodeURIComponent(id)}/cut`,
        z.object({ id: z.string(), kind: z.string() }),
      );
      call.result(cut, `cut  ${cut.id} (${cut.kind})`);
    });
}
