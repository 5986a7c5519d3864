import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { walkKeys } from '../../ledger/verify/key-history.ts';
import { openCheckpoint, policyOf } from '../../ledger/verify/open-checkpoint.ts';
import { formatPolicy, trustOnly, type Policy } from '../../ledger/verify/policy.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { sourceOf } from '../log-source.ts';
import { addTrust, cosignedBy, trustOf, trustShape } from '../log-trust.ts';
import { count, moment } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';

const keysSchema = z.object({ ...trustShape, out: z.string().optional() });
const exchangeSchema = z.object({
  overlapDays: z.coerce.number('must be a number').min(0).max(365).optional(),
  now: z.boolean(),
});

const listSchema = z.object({
  lackingWitnesses: z.array(z.string()).default([]),
  keys: z.array(
    z.object({
      verifierKey: z.string(),
      state: z.enum(['announced', 'signing', 'retired']),
      announcedAt: z.string(),
      beganAt: z.string().nullable(),
      endsAt: z.string().nullable(),
      endedAt: z.string().nullable(),
    }),
  ),
});
type Key = z.infer<typeof listSchema>['keys'][number];

export function addLedgerKeys(ledger: Command, context: CliContext): void {
  const keys = ledger
    .command('keys')
    .description(
      'The keys that sign the log. With --key or --policy: walk from the keys that you trust to those that sign now, by what the old ones have signed alone; a copy of the log is enough, offline.',
    )
    .argument('[source]', 'Directory or address of the log. Default: that of the server.');
  addTrust(keys, 'Default: only list what the server says.')
    .option('--out <file>', 'Write what is to be trusted from now on: the keys, or the policy with them.')
    .action(async (source: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { out, ...told } = call.options(keysSchema);
      const trust = trustOf(told);
      if (trust !== null)
        await walk(call, source, policyOf(trust), { isPolicy: told.policy !== undefined, out });
      else if (source === undefined && out === undefined) await list(call);
      else throw new CliError('usage', 'Say whom you trust so far, with --key or --policy.');
    });

  ledger
    .command('rotate-key')
    .description(
      'Give the log another signing key. Both sign until the overlap is over; then the old one is destroyed. Needs Lockstep.Access/ledger/exchangeKey/action.',
    )
    .option('--overlap-days <number>', 'How long both sign. Default: ledger.keyOverlapDays.')
    .option(
      '--now',
      'The old key may be in other hands: it signs nothing more. Tell auditors and witnesses the new key yourself, to take its place.',
      false,
    )
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { overlapDays, now } = call.options(exchangeSchema);
      if (now && overlapDays !== undefined)
        throw new CliError('usage', 'Say --now or --overlap-days, not both.');
      const client = await call.client();
      const answer = await client.json('admin', 'POST', '/admin/v1/ledger/keys/exchange', listSchema, {
        json: now ? { compromised: true } : overlapDays === undefined ? {} : { overlapDays },
      });
      show(call, answer.keys);
      const until = answer.keys.find(({ endsAt, state }) => state === 'signing' && endsAt !== null)?.endsAt;
      call.note(
        typeof until === 'string'
          ? `Until ${moment(Date.parse(until))} give the new key to your witnesses and auditors, beside the old one.`
          : 'Give the new key to your witnesses and auditors now, in place of the old one: nothing that the log signs is believed without it, and nothing that the old one signed alone is worth anything.',
      );
    });
}

async function list(call: Invocation): Promise<void> {
  const client = await call.client();
  const { keys, lackingWitnesses } = await client.json('admin', 'GET', '/admin/v1/ledger/keys', listSchema);
  show(call, keys);
  if (lackingWitnesses.length > 0) {
    call.note(
      `The old key goes on signing: ${lackingWitnesses.join(', ')} cosign nothing that the new one alone has signed. Give it to them.`,
    );
  }
}

function show(call: Invocation, keys: readonly Key[]): void {
  const columns = [
    { title: 'KEY', value: ({ verifierKey }: Key) => verifierKey },
    { title: 'STATE', value: ({ state }: Key) => state },
    { title: 'SIGNS FROM', value: ({ beganAt }: Key) => timeOf(beganAt) },
    { title: 'UNTIL', value: ({ endedAt, endsAt }: Key) => timeOf(endedAt ?? endsAt) },
  ];
  call.result({ keys }, table(keys, columns, call.style, call.width));
}

function timeOf(text: string | null): string {
  return text === null ? '' : moment(Date.parse(text));
}

async function walk(
  call: Invocation,
  source: string | undefined,
  policy: Policy,
  { isPolicy, out }: { readonly isPolicy: boolean; readonly out: string | undefined },
): Promise<void> {
  const { log, where } = await sourceOf(call, source);
  const text = async (path: string) => Buffer.from((await log.read(path)) ?? []).toString('utf8');
  const trusted = policy.logs.map(({ verifierKey }) => verifierKey);
  const walked = walkKeys(await text('key-history'), trusted);
  if (!walked.ok)
    throw new CliError(
      'not-verified',
      `No way leads from what you trust to the keys of ${where}: ${walked.reason}.`,
    );
  // Whoever has stolen an old key can write a history; the witnesses of the policy have not cosigned its log.
  const opened = openCheckpoint(await text('checkpoint'), { ...policy, logs: trustOnly(walked.onward).logs });
  if (!opened.ok)
    throw new CliError(
      'not-verified',
      `The keys lead on, but the log at ${where} is not theirs: ${opened.reason}.`,
    );
  const signing = opened.signatures.filter(({ time }) => time === null).map(({ verifierKey }) => verifierKey);
  if (out !== undefined) {
    const { logs } = trustOnly(signing);
    writeFileSync(
      out,
      isPolicy ? formatPolicy({ ...policy, logs }) : signing.map((key) => `${key}\n`).join(''),
    );
  }
  call.result(
    {
      origin: opened.checkpoint.origin,
      current: walked.current,
      signing,
      keys: walked.keys,
      exchanges: walked.exchanges.map(({ from, to, time }) => ({ from, to, time })),
      witnesses: opened.cosignatures.map(({ witness }) => witness),
    },
    facts(
      [
        [
          call.style.good('vouched for'),
          count(walked.exchanges.length, 'exchange of keys', 'exchanges of keys'),
        ],
        ['log', opened.checkpoint.origin],
        ...walked.exchanges.map(({ to, time }): readonly [string, string] => [moment(time * 1000), to]),
        ...signing.map((key): readonly [string, string] => ['signs now', key]),
        ['cosigned by', cosignedBy(opened.cosignatures)],
      ],
      call.style,
    ),
  );
}
