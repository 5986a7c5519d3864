import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { Answer, Client } from '../connection/client.ts';
import type { Discovery } from '../connection/discovery.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { growingTable, table } from '../output/table.ts';
import { scopeHelp, scopeNamed, shortScope } from '../scopes.ts';
import { readTime } from '../time-text.ts';
import { changedObject } from './changed-object.ts';
import { eventSchema, whatHappened } from './shown-event.ts';

const filterSchema = z.object({
  person: z.string().optional(),
  resource: z.string().optional(),
  action: z.string().optional(),
  decision: z.enum(['allow', 'deny'], 'must be allow or deny').optional(),
  policy: z.string().optional(),
  job: z.string().optional(),
  session: z.string().optional(),
  correlation: z.string().optional(),
  since: z.string().optional(),
  until: z.string().optional(),
});
type Filter = z.infer<typeof filterSchema>;

const searchSchema = filterSchema.extend({
  limit: z.coerce.number('must be a number').int().min(1).max(100_000),
  all: z.boolean(),
});
const tailSchema = filterSchema.extend({
  follow: z.boolean(),
  all: z.boolean(),
  lines: z.coerce.number('must be a number').int().min(0).max(100_000),
});
const lineSchema = z.object({ sequence: z.number(), event: eventSchema });
type Line = z.infer<typeof lineSchema> & { readonly text: string };

/** Most that the server gives in one page of a search. */
const page = 1_000;

export function addLedgerEvents(ledger: Command, context: CliContext): void {
  withFilters(
    ledger
      .command('search')
      .description(
        'Find events, newest first, in all that was recorded and not pruned. Needs Lockstep.Access/events/read.',
      )
      .argument(
        '[id]',
        'Everything that belongs to a decision, an event, a job, a lease, a session, a request or a token (uti).',
      ),
  )
    .option('--limit <number>', 'How many at most.', '50')
    .option('--all', 'All there are, instead.', false)
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { limit, all, ...filter } = call.options(searchSchema);
      await search(call, id ?? null, filter, all ? Infinity : limit);
    });

  withFilters(
    ledger
      .command('tail')
      .description(
        'Print the newest events, but for those of how clients find their way. Needs Lockstep.Access/events/read.',
      ),
  )
    .option('--follow', 'Go on as they happen, until Ctrl-C.', false)
    .option('--lines <number>', 'How many to begin with.', '20')
    .option(
      '--all',
      'Reads of discovery documents too: by every command of this kind, before it knows who asks.',
      false,
    )
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { follow, lines, all, ...filter } = call.options(tailSchema);
      await tail(call, filter, { follow, lines, all });
    });
}

function withFilters(command: Command): Command {
  return command
    .option(
      '--person <name>',
      'Who acted, on whose account, or whom it concerned: sign-in name or object id.',
    )
    .option('--resource <scope>', `At this scope and beneath. ${scopeHelp}`)
    .option(
      '--action <operation>',
      'Operation or kind of event, such as request.ended; ends in /* or .* for all that begin so.',
    )
    .option('--decision <outcome>', 'allow or deny.')
    .option('--policy <id>', 'Id of the assignment that decided or was changed.')
    .option('--job <name>', 'Name or id of a job: what it did and what was done with it.')
    .option('--session <id>', 'Id of a sign-in.')
    .option('--correlation <id>', 'Id of a request, or of a token (uti).')
    .option('--since <time>', 'Not before: a time of ISO 8601, or how long ago: 30m, 2h, 7d.')
    .option('--until <time>', 'Before: the same.');
}

function queryOf(filter: Filter, places: Discovery): Record<string, string> {
  const { resource, since, until, ...rest } = filter;
  const now = Date.now();
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query[name] = value;
  if (resource !== undefined) query['resource'] = scopeNamed(resource, places);
  if (since !== undefined) query['since'] = readTime('since', since, now);
  if (until !== undefined) query['until'] = readTime('until', until, now);
  return query;
}

async function search(call: Invocation, id: string | null, filter: Filter, limit: number): Promise<void> {
  const client = await call.client();
  const places = await client.discovery();
  const query = { ...queryOf(filter, places), ...(id === null ? {} : { id }) };
  const shown: Line[] = [];
  let left = limit;
  let more = false;
  for await (const line of found(client, query, limit, call.context.signal)) {
    if (left-- <= 0) {
      more = true;
      break;
    }
    if (call.json) call.context.stdout.write(`${line.text}\n`);
    else shown.push(line);
  }
  if (call.json) return;
  const columns = [
    { title: 'WHEN', value: ({ event }: Line) => moment(event.time) },
    { title: 'EVENT', value: ({ event }: Line) => event.metadata.uid },
    { title: 'WHO', value: ({ event }: Line) => who(event) },
    { title: 'WHAT', value: ({ event }: Line) => whatHappened(event) },
    { title: 'SCOPE', value: ({ event }: Line) => where(event, places) },
  ];
  call.result(null, shown.length === 0 ? 'Nothing found.' : table(shown, columns, call.style, call.width));
  if (more) call.note(`There is more: --limit, --all, or --until ${isoOf(shown)}.`);
}

function isoOf(shown: readonly Line[]): string {
  return new Date(shown.at(-1)?.event.time ?? 0).toISOString();
}

/** The decisions of a request, or that which an event records: only the denials where there are any. */
export async function decisionsOf(client: Client, id: string, signal: AbortSignal): Promise<string[]> {
  const denied = new Set<string>();
  const allowed = new Set<string>();
  for await (const { event } of found(client, { id }, page, signal)) {
    const { decisionId, allowed: may } = event.unmapped?.lockstep ?? {};
    if (decisionId) (may === false ? denied : allowed).add(decisionId);
  }
  return [...(denied.size > 0 ? denied : allowed)];
}

/** Page after page, newest first; at least one more than `limit` where there are more. */
async function* found(
  client: Client,
  query: Readonly<Record<string, string>>,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  let cursor: string | null = null;
  do {
    const answer: Answer = await client.send('admin', 'GET', '/admin/v1/events', {
      query: {
        ...query,
        order: 'newest',
        limit: String(Math.min(page, limit + 1)),
        ...(cursor === null ? {} : { cursor }),
      },
      signal,
    });
    const link = /<([^>]*)>; rel="next"/.exec(answer.header('link') ?? '')?.[1];
    cursor = link === undefined ? null : new URL(link, client.server).searchParams.get('cursor');
    for (const text of (await answer.body.text()).split('\n')) if (text !== '') yield lineOf(text);
  } while (cursor !== null);
}

async function* linesOf(answer: Answer): AsyncGenerator<Line> {
  for await (const text of createInterface({ input: answer.body })) {
    yield lineOf(text);
  }
}

function lineOf(text: string): Line {
  return { ...lineSchema.parse(JSON.parse(text)), text };
}

interface TailOptions {
  readonly follow: boolean;
  readonly lines: number;
  readonly all: boolean;
}

async function tail(call: Invocation, filter: Filter, { follow, lines, all }: TailOptions): Promise<void> {
  const { signal } = call.context;
  const client = await call.client();
  const places = await client.discovery();
  const status = z.looseObject({ ledger: z.looseObject({ lastSequence: z.number() }) });
  const { lastSequence } = (await client.json('admin', 'GET', '/admin/v1/status', status)).ledger;
  const query = queryOf(filter, places);
  const show = shower(call, places);
  const shows = (line: Line) => all || filter.action !== undefined || !isDiscovery(line);
  const newest: Line[] = [];
  for await (const line of found(client, query, lines, signal)) {
    if (newest.length === lines) break;
    // What comes later, this very request among it, is not what was asked for; whoever follows sees it next.
    if (line.sequence <= lastSequence && shows(line)) newest.push(line);
  }
  for (const line of newest.toReversed()) show(line);
  if (!follow) return;
  const answer = await client.send('admin', 'GET', '/admin/v1/events', {
    query: { ...query, after: String(lastSequence), follow: 'true' },
    signal,
  });
  try {
    for await (const line of linesOf(answer)) if (shows(line)) show(line);
  } catch (error) {
    if (!signal.aborted) throw new CliError('failure', 'The stream of events was cut.', { cause: error });
  }
  if (!signal.aborted) throw new CliError('failure', 'The stream of events ended.');
}

/** A client asks for the document before it knows anything else; whoever looks into the log asks too. */
function isDiscovery({ event }: Line): boolean {
  return event.unmapped?.lockstep.operation === 'Lockstep.Access/discovery/read';
}

/** Wider ones are rare, and would push the rest out of sight for good. */
const widestColumn = 48;

function shower(call: Invocation, places: Discovery): (line: Line) => void {
  const row = growingTable(widestColumn);
  return ({ event, text }) => {
    if (call.json) {
      call.context.stdout.write(`${text}\n`);
      return;
    }
    // The id before what has no bound, so that it stands in one column, as it does in a search.
    const cells = [
      moment(event.time),
      event.metadata.uid,
      who(event),
      whatHappened(event),
      where(event, places),
    ];
    call.line(null, row(cells));
  };
}

function who(event: Line['event']): string {
  return event.unmapped?.lockstep.chain?.at(-1)?.name ?? '';
}

function where(event: Line['event'], places: Discovery): string {
  const scope = event.unmapped?.lockstep.scope ?? changedObject(event)?.scope ?? null;
  return scope === null ? '' : shortScope(scope, places);
}
