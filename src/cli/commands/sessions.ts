import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Client } from '../connection/client.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
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
  /** Of a WebSocket, both ways. */
  messages: z.number().nullable(),
  sourceAddress: z.string().nullable(),
  expiresAt: z.string().nullable(),
});
type Session = z.infer<typeof sessionSchema>;

const listOptions = z.object({ all: z.boolean() });
const followOptions = listOptions.extend({ signIns: z.boolean() });

const everybodys = ['--all', 'Everybody’s; needs Lockstep.Access/sessions/read.'] as const;
const pollMilliseconds = 1000;

export function addSessions(program: Command, context: CliContext): void {
  const sessions = program.command('sessions').description('Live streams and sign-ins.');

  sessions
    .command('list')
    .description('List your live streams and sign-ins.')
    .option(...everybodys, false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { all } = call.options(listOptions);
      const value = await listed(await call.client(), all);
      const shown = table(
        value,
        [
          { title: 'SESSION', value: (row) => row.id },
          { title: 'KIND', value: kindOf },
          { title: 'WHO', value: (row) => row.principal.displayName },
          { title: 'SINCE', value: (row) => moment(row.startedAt) },
          { title: 'UNTIL', value: (row) => moment(row.expiresAt) },
          { title: 'FROM', value: (row) => row.sourceAddress },
          { title: 'MOVED', value: moved, align: 'right' },
          { title: 'OPERATION', value: (row) => row.operation },
        ],
        call.style,
        call.width,
      );
      call.result(value, shown === '' ? 'No live session.' : shown);
    });

  sessions
    .command('follow')
    .description('Watch streams open, move and end, until Ctrl-C. Those shorter than a second may be missed.')
    .option(...everybodys, false)
    .option('--sign-ins', 'Sign-ins too.', false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      await follow(call, call.options(followOptions));
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

async function listed(client: Client, all: boolean): Promise<Session[]> {
  const schema = z.object({ value: z.array(sessionSchema) });
  const query = all ? { all: 'true' } : {};
  return (await client.json('admin', 'GET', '/admin/v1/sessions', schema, { query })).value;
}

/** A line for each session that begins or ends, and for each whose count has changed. */
async function follow(call: Invocation, options: z.infer<typeof followOptions>): Promise<void> {
  const { signal } = call.context;
  const client = await call.client();
  let before = new Map<string, Session>();
  while (!signal.aborted) {
    const found = await listed(client, options.all);
    const now = new Map(
      found.filter(({ kind }) => options.signIns || kind === 'stream').map((one) => [one.id, one]),
    );
    for (const one of now.values()) {
      const was = before.get(one.id);
      if (was === undefined) tell(call, 'opened', one);
      else if (was.bytes !== one.bytes) tell(call, 'moved', one);
    }
    for (const one of before.values()) if (!now.has(one.id)) tell(call, 'ended', one);
    before = now;
    await wait(pollMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}

function tell(call: Invocation, what: 'opened' | 'moved' | 'ended', session: Session): void {
  const { id, principal, operation } = session;
  const words = [what.padEnd(6), id, principal.displayName, kindOf(session), moved(session), operation];
  call.line({ what, session }, words.filter((word) => word !== null).join('  '));
}

function kindOf({ kind, messages }: Session): string {
  return messages === null ? kind : 'websocket';
}

function moved(session: Session): string | null {
  if (session.bytes === null) return null;
  const { messages } = session;
  return messages === null ? bytes(session.bytes) : `${bytes(session.bytes)} in ${messages} messages`;
}
