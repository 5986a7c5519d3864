import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Client } from '../connection/client.ts';
import type { Discovery } from '../connection/discovery.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { bytes, moment } from '../output/amounts.ts';
import { plain } from '../output/style.ts';
import { table } from '../output/table.ts';
import { shortScope } from '../scopes.ts';

const partySchema = z.object({ id: z.string(), kind: z.string(), displayName: z.string() });
const sessionSchema = z.object({
  id: z.string(),
  kind: z.enum(['stream', 'sign-in']),
  principal: partySchema,
  startedAt: z.string(),
  /** What a stream does: its operation. */
  operation: z.string().nullable(),
  scope: z.string().nullable(),
  bytes: z.number().nullable(),
  /** Of a WebSocket, both ways. */
  messages: z.number().nullable(),
  sourceAddress: z.string().nullable(),
  expiresAt: z.string().nullable(),
  /** Of a sign-in: what it was made with, what it has given tokens to, and whether this command rests on it. */
  userAgent: z.string().nullish(),
  applications: z.array(z.object({ appId: z.string(), displayName: z.string() })).optional(),
  current: z.boolean().optional(),
});
type Session = z.infer<typeof sessionSchema>;

const cutSchema = z.discriminatedUnion('kind', [
  z.object({ id: z.string(), kind: z.literal('sign-in'), decisionId: z.string() }),
  z.object({
    id: z.string(),
    kind: z.literal('stream'),
    principal: partySchema,
    scope: z.string().nullable(),
    /** The sign-in that it came of, if that is still open. */
    sessionId: z.string().nullable(),
    leaseId: z.string().nullable(),
    /** Under which the log says who cut it. */
    decisionId: z.string(),
  }),
]);
type Cut = z.infer<typeof cutSchema>;

const listOptions = z.object({ all: z.boolean() });
const followOptions = listOptions.extend({ signIns: z.boolean() });

const everybodys = ['--all', 'Everybody’s; needs Lockstep.Access/sessions/read.'] as const;
const pollMilliseconds = 1000;

export function addSessions(program: Command, context: CliContext): void {
  const sessions = program.command('sessions').description('Live streams and sign-ins.');

  sessions
    .command('list', { isDefault: true })
    .description('List your live streams and sign-ins.')
    .option(...everybodys, false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { all } = call.options(listOptions);
      const client = await call.client();
      const places = await client.discovery();
      const value = await listed(client, all);
      const shown = table(
        value,
        [
          { title: 'SESSION', value: (row) => row.id },
          { title: 'KIND', value: kindOf },
          { title: 'WHO', value: (row) => row.principal.displayName },
          { title: 'WHERE', value: (row) => whereOf(row, places) },
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
        cutSchema,
      );
      const left = cut.kind === 'stream' ? wayBack(cut, await client.discovery()) : null;
      call.result(
        cut,
        [`cut  ${cut.id} (${cut.kind}), recorded as yours under ${cut.decisionId}`, left]
          .filter((line) => line !== null)
          .join('\n'),
      );
    });
}

async function listed(client: Client, all: boolean): Promise<Session[]> {
  const schema = z.object({ value: z.array(sessionSchema) });
  const query = all ? { all: 'true' } : {};
  return (await client.json('admin', 'GET', '/admin/v1/sessions', schema, { query })).value;
}

/** What a cut has not ended: a client such as JupyterLab is back within the second. Null where there is nobody to be back. */
function wayBack(
  { principal, scope, sessionId, leaseId }: Extract<Cut, { kind: 'stream' }>,
  places: Discovery,
): string | null {
  if (principal.kind === 'anonymous') return null;
  const who = plain(principal.displayName);
  const at = scope === null ? '' : ` --scope ${plain(shortScope(scope, places))}`;
  const role = `take the role away: \`lockstep role list --assignee ${principal.id}${at}\` names it.`;
  if (sessionId !== null) {
    return `${who} is still signed in and may open it again. End the sign-in: \`lockstep sessions cut ${sessionId}\`, or ${role}`;
  }
  if (leaseId !== null)
    return `A job of ${who} still runs and may open it again. End it: \`lockstep job cancel\`, or ${role}`;
  return `The token of ${who} is still good and may open it again. To prevent that, ${role}`;
}

/** A line for each session that is open already, that begins or ends, and for each whose count has changed. */
async function follow(call: Invocation, options: z.infer<typeof followOptions>): Promise<void> {
  const { signal } = call.context;
  const client = await call.client();
  const places = await client.discovery();
  let before: Map<string, Session> | null = null;
  while (!signal.aborted) {
    const found = await listed(client, options.all);
    const now = new Map(
      found.filter(({ kind }) => options.signIns || kind === 'stream').map((one) => [one.id, one]),
    );
    const seenAt = new Date().toISOString();
    const told = (what: Told, at: string, session: Session) =>
      call.line({ what, at, session }, toldLine(what, at, session, places));
    for (const one of now.values()) {
      const was = before?.get(one.id);
      if (was === undefined) told(before === null ? 'open' : 'opened', one.startedAt, one);
      else if (was.bytes !== one.bytes) told('moved', seenAt, one);
    }
    for (const one of before?.values() ?? []) if (!now.has(one.id)) told('ended', seenAt, one);
    before = now;
    await wait(pollMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}

type Told = 'open' | 'opened' | 'moved' | 'ended';

function toldLine(what: Told, at: string, session: Session, places: Discovery): string {
  const { id, principal, operation } = session;
  const who = [principal.displayName, kindOf(session), whereOf(session, places), moved(session), operation];
  const words = [moment(at), what.padEnd(6), id, ...who.filter((word) => word !== null && word !== '')];
  return plain(words.join('  '));
}

function kindOf({ kind, messages, current = false }: Session): string {
  if (messages !== null) return 'websocket';
  return current ? 'sign-in (this one)' : kind;
}

/** The scope of a stream; of a sign-in, by what it is used. */
function whereOf({ kind, scope, userAgent, applications = [] }: Session, places: Discovery): string | null {
  if (kind === 'stream') return scope === null ? null : shortScope(scope, places);
  const programs = applications.map(({ appId, displayName }) =>
    appId === places.cliClientId ? commandLine : displayName,
  );
  const first = userAgent === undefined || userAgent === null ? [] : [madeWith(userAgent)];
  return [...new Set([...first, ...programs])].join(', ');
}

const commandLine = 'command line';

function madeWith(userAgent: string): string {
  if (userAgent.startsWith('lockstep-cli/')) return commandLine;
  return userAgent.startsWith('Mozilla/') ? 'browser' : userAgent.slice(0, 40);
}

function moved(session: Session): string | null {
  if (session.bytes === null) return null;
  const { messages } = session;
  return messages === null ? bytes(session.bytes) : `${bytes(session.bytes)} in ${messages} messages`;
}
