import { createInterface } from 'node:readline';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { policyOf } from '../../ledger/verify/open-checkpoint.ts';
import { verifyLog } from '../../ledger/verify/verify-log.ts';
import { verifyReceipt } from '../../ledger/verify/verify-receipt.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { sourceOf } from '../log-source.ts';
import { addTrust, cosignedBy, trustOf, trustShape, type TrustOptions } from '../log-trust.ts';
import { count, duration, moment } from '../output/amounts.ts';
import { progress } from '../output/progress.ts';
import { facts } from '../output/table.ts';
import { shortScope } from '../scopes.ts';
import { addConsistency } from './consistency.ts';
import { replay } from './replay.ts';
import { addWitnesses } from './witnesses.ts';

const verifySchema = z.object({ ...trustShape, receipt: z.string().optional() });
const replaySchema = z.object({ key: z.string().optional(), decision: z.array(z.string()).optional() });
const receiptSchema = z.object({ out: z.string().optional() });
const tailSchema = z.object({
  follow: z.boolean(),
  lines: z.coerce.number('must be a number').int().min(0).max(100_000),
});

export function addLedger(program: Command, context: CliContext): void {
  const ledger = program
    .command('ledger')
    .description('The log of everything that happened, and its proofs.');

  const verify = ledger
    .command('verify')
    .description('Check a whole log, or with --receipt one event of it. Trusts nothing but keys or a policy.')
    .argument('[source]', 'Directory or address of the log. Default: that of the server.');
  addTrust(verify, 'Default: what the server says.')
    .option('--receipt <file>', 'Check this receipt, offline: nothing but the file and the keys is needed.')
    .action(async (source: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { receipt, ...trust } = call.options(verifySchema);
      if (receipt === undefined) await verifyWhole(call, source, trust);
      else if (source === undefined) verifyOne(call, receipt, trust);
      else throw new CliError('usage', 'Name a source or --receipt, not both.');
    });

  addConsistency(ledger, context);
  addWitnesses(ledger, context);

  ledger
    .command('replay')
    .description(
      'Make the decisions of a log again, each by the policy of its own moment, from the log alone; the log is checked on the way.',
    )
    .argument('[source]', 'Directory or address of the log. Default: that of the server.')
    .option('--key <vkey>', 'Verifier key, or a file that holds it. Default: what the server says it is.')
    .option('--decision <id...>', 'Only these decisions or events. Default: all.')
    .action(async (source: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { key, decision } = call.options(replaySchema);
      await replay(call, { source, key: key ?? null, only: decision ?? null });
    });

  ledger
    .command('receipt')
    .description(
      'Write the receipt of an event: a proof that anyone can check offline, with the log’s key alone.',
    )
    .argument('<event>', 'Id of the event.')
    .option('--out <file>', 'File to write, or - for standard output. Default: <event>.tlog-proof.')
    .action(async (event: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { out } = call.options(receiptSchema);
      if (!/^evt_[0-9a-z]{26}$/.test(event)) {
        throw new CliError('usage', `\`${event}\` is not an event id; it looks like evt_01h….`);
      }
      const client = await call.client();
      const answer = await client.send('admin', 'GET', `/admin/v1/events/${event}/receipt`);
      const text = await answer.body.text();
      if (out === '-') {
        context.stdout.write(text);
        return;
      }
      const file = out ?? `${event}.tlog-proof`;
      writeFileSync(file, text);
      const { verifierKey } = (await client.discovery()).ledger;
      call.result(
        { event, file, verifierKey },
        facts(
          [
            ['receipt', file],
            ['log key', verifierKey],
            ['check it', `lockstep ledger verify --receipt ${file} --key '${verifierKey}'`],
          ],
          call.style,
        ),
      );
    });

  ledger
    .command('tail')
    .description('Print the newest events. Needs Lockstep.Access/events/read.')
    .option('--follow', 'Go on as they happen, until Ctrl-C.', false)
    .option('--lines <number>', 'How many to begin with.', '20')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { follow, lines } = call.options(tailSchema);
      const client = await call.client();
      await tail(call, client, follow, lines);
    });
}

async function verifyWhole(
  call: Invocation,
  source: string | undefined,
  options: TrustOptions,
): Promise<void> {
  const { log, where, serverKeys } = await sourceOf(call, source);
  const told = trustOf(options);
  const trust = told ?? (await serverKeys());
  const started = Date.now();
  const bar = progress(call.context.stderr, call.context.terminal.redraw && !call.json, 'verifying', (n) =>
    count(n, 'entry', 'entries'),
  );
  const verdict = await verifyLog(log, trust, {
    onProgress: (checked, size) => bar.at(checked, size),
    signal: call.context.signal,
  });
  if (call.context.terminal.redraw && !call.json) call.context.stderr.write('\r\u001b[K');
  if (!verdict.ok)
    throw new CliError('not-verified', `The log at ${where} does not verify: ${verdict.reason}.`);
  const root = Buffer.from(verdict.root).toString('base64');
  if (told === null)
    call.note('The key came from the server itself; keep it, and give it with --key from now on.');
  const { logs } = policyOf(trust);
  const verifierKey = logs[0]?.verifierKey ?? '';
  call.result(
    {
      verified: true,
      origin: verdict.origin,
      size: verdict.size,
      root,
      verifierKey,
      witnesses: verdict.cosignatures.map(({ witness }) => witness),
    },
    facts(
      [
        [call.style.good('verified'), count(verdict.size, 'entry', 'entries')],
        ['log', verdict.origin],
        ['root', root],
        ...logs.map((one): readonly [string, string] => ['key', one.verifierKey]),
        ['cosigned by', cosignedBy(verdict.cosignatures)],
        ['took', duration(Date.now() - started)],
      ],
      call.style,
    ),
  );
}

function verifyOne(call: Invocation, file: string, options: TrustOptions): void {
  const trust = trustOf(options);
  if (trust === null)
    throw new CliError(
      'usage',
      'Say whom to trust, with --key or --policy: a log is not asked about itself.',
    );
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const verdict = verifyReceipt(text, null, trust);
  if (!verdict.ok) throw new CliError('not-verified', `${file} does not verify: ${verdict.reason}.`);
  const event: unknown = JSON.parse(Buffer.from(verdict.entry).toString('utf8'));
  call.result(
    {
      verified: true,
      origin: verdict.origin,
      index: verdict.index,
      size: verdict.size,
      witnesses: verdict.cosignatures.map(({ witness }) => witness),
      event,
    },
    facts(
      [
        [call.style.good('verified'), `entry ${verdict.index} of ${verdict.size}`],
        ['log', verdict.origin],
        ['cosigned by', cosignedBy(verdict.cosignatures)],
        ...shownEvent(event),
      ],
      call.style,
    ),
  );
}

const eventSchema = z.looseObject({
  time: z.number(),
  activity_name: z.string().optional(),
  class_name: z.string().optional(),
  metadata: z.looseObject({ uid: z.string(), event_code: z.string().optional() }),
  unmapped: z
    .looseObject({
      lockstep: z.looseObject({
        chain: z.array(z.object({ name: z.string() })).optional(),
        decisionId: z.string().nullish(),
        policyId: z.string().nullish(),
        operation: z.string().optional(),
        scope: z.string().optional(),
        allowed: z.boolean().optional(),
        ending: z.string().optional(),
        activity: z.string().optional(),
        failureCode: z.string().nullish(),
      }),
    })
    .optional(),
});

type ShownEvent = z.infer<typeof eventSchema>;

function shownEvent(value: unknown): (readonly [string, string | null])[] {
  const parsed = eventSchema.safeParse(value);
  if (!parsed.success) return [];
  const event = parsed.data;
  const own = event.unmapped?.lockstep;
  return [
    ['event', event.metadata.uid],
    ['when', moment(event.time)],
    ['what', whatHappened(event)],
    ['who', own?.chain?.map((link) => link.name).join(' → ') ?? null],
    ['scope', own?.scope ?? null],
    ['policy', own?.policyId ?? null],
    ['decision', own?.decisionId ?? null],
  ];
}

function whatHappened({ metadata, unmapped, class_name, activity_name }: ShownEvent): string {
  const own = unmapped?.lockstep;
  const code = metadata.event_code ?? `${class_name ?? ''} ${activity_name ?? ''}`.trim();
  if (code === 'request.decided')
    return `${own?.allowed === true ? 'allowed' : 'denied'}  ${own?.operation ?? ''}`;
  if (code === 'request.ended') return `${own?.ending ?? 'ended'}  ${own?.operation ?? ''}`;
  if (code === 'authentication')
    return `${own?.activity ?? code}${own?.failureCode ? ` refused (${own.failureCode})` : ''}`;
  return code;
}

async function tail(call: Invocation, client: Client, follow: boolean, lines: number): Promise<void> {
  const { signal } = call.context;
  const status = z.looseObject({ ledger: z.looseObject({ lastSequence: z.number() }) });
  const { lastSequence } = (await client.json('admin', 'GET', '/admin/v1/status', status)).ledger;
  const places = await client.discovery();
  const answer = await client.send('admin', 'GET', '/admin/v1/events', {
    query: {
      after: String(Math.max(0, lastSequence - lines)),
      limit: String(lines),
      ...(follow ? { follow: 'true' } : {}),
    },
    signal,
  });
  const lineSchema = z.object({ sequence: z.number(), event: eventSchema });
  try {
    for await (const text of createInterface({ input: answer.body })) {
      const { event } = lineSchema.parse(JSON.parse(text));
      const own = event.unmapped?.lockstep;
      const scope = own?.scope === undefined ? '' : shortScope(own.scope, places);
      const who = own?.chain?.at(-1)?.name ?? '';
      const row = [moment(event.time), who.padEnd(20), whatHappened(event), scope].join('  ').trimEnd();
      if (call.json) call.context.stdout.write(text + '\n');
      else call.line(null, `${row}  ${call.style.dim(event.metadata.uid)}`);
    }
  } catch (error) {
    if (!signal.aborted) throw new CliError('failure', 'The stream of events was cut.', { cause: error });
  }
  if (follow && !signal.aborted) throw new CliError('failure', 'The stream of events ended.');
}
