import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { policyOf } from '../../ledger/verify/open-checkpoint.ts';
import { verifyLog, type LogVerdict } from '../../ledger/verify/verify-log.ts';
import { parseReceipt } from '../../ledger/tlog/receipt.ts';
import { eventIn, uidOf } from '../../ledger/verify/disclose.ts';
import { verifyReceipt } from '../../ledger/verify/verify-receipt.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import type { Client } from '../connection/client.ts';
import { chosenDisclosures, disclosedBy } from '../disclosures.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { sourceOf } from '../log-source.ts';
import { addTrust, cosignedBy, trustOf, trustShape, type TrustOptions } from '../log-trust.ts';
import { count, duration, moment } from '../output/amounts.ts';
import { facts } from '../output/table.ts';
import { addConsistency } from './consistency.ts';
import { addCopy } from './ledger-copy.ts';
import { addErase } from './ledger-erase.ts';
import { addLedgerEvents } from './ledger-events.ts';
import { addLedgerKeys } from './ledger-keys.ts';
import { addPrune } from './ledger-prune.ts';
import { replay } from './replay.ts';
import { shownEvent } from './shown-event.ts';
import { addWitnesses } from './witnesses.ts';

type Verified = Extract<LogVerdict, { ok: true }>;

const verifySchema = z.object({
  ...trustShape,
  receipt: z.string().optional(),
  disclosures: z.string().optional(),
  whole: z.boolean().optional(),
});
const replaySchema = z.object({ key: z.string().optional(), decision: z.array(z.string()).optional() });
const receiptSchema = z.object({
  out: z.string().optional(),
  disclose: z.array(z.string()).optional(),
  index: z.coerce.number('must be a number').int().min(0).optional(),
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
    .option(
      '--disclosures <file>',
      'With --receipt: the values that the event binds, as `receipt --disclose` wrote them.',
    )
    .option('--whole', 'Refuse a log that was pruned, whatever it states.')
    .action(async (source: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { receipt, disclosures, whole, ...trust } = call.options(verifySchema);
      if (receipt === undefined && disclosures !== undefined)
        throw new CliError('usage', '--disclosures goes with --receipt.');
      if (receipt !== undefined && whole !== undefined)
        throw new CliError('usage', '--whole is of a log, not of a receipt.');
      if (receipt === undefined) await verifyWhole(call, source, trust, whole === true);
      else if (source === undefined) verifyOne(call, receipt, disclosures ?? null, trust);
      else throw new CliError('usage', 'Name a source or --receipt, not both.');
    });

  addConsistency(ledger, context);
  addCopy(ledger, context);
  addWitnesses(ledger, context);
  addLedgerKeys(ledger, context);

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
    .argument('[event]', 'Id of the event.')
    .option('--index <number>', 'Instead: its place in the log, from 0.')
    .option('--out <file>', 'File to write, or - for standard output. Default: <event>.tlog-proof.')
    .option(
      '--disclose <place...>',
      'Write a .disclosures.json beside the receipt, with these personal values, so that whoever gets both can check them: `name`, `ip` (wherever they stand in the event), a whole pointer, or `all`. Needs Lockstep.Access/events/read.',
    )
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { out, index, disclose } = call.options(receiptSchema);
      if ((id === undefined) === (index === undefined)) {
        throw new CliError('usage', 'Say the id of an event or --index NUMBER, one of them.');
      }
      if (out === '-' && disclose !== undefined) {
        throw new CliError('usage', '--disclose writes a file beside the receipt: name one with --out.');
      }
      if (id !== undefined && !/^evt_[0-9a-z]{26}$/.test(id)) {
        throw new CliError('usage', `\`${id}\` is not an event id; it looks like evt_01h….`);
      }
      const event = id ?? `entry-${index}`;
      const path = id === undefined ? `ledger/entries/${index}` : `events/${id}`;
      const client = await call.client();
      const answer = await client.send('admin', 'GET', `/admin/v1/${path}/receipt`);
      const text = await answer.body.text();
      if (out === '-') {
        context.stdout.write(text);
        return;
      }
      const file = out ?? `${event}.tlog-proof`;
      writeFileSync(file, text);
      const disclosures =
        disclose === undefined ? null : await disclosed(client, file, eventOf(text), disclose);
      if (disclosures !== null) writeFileSync(disclosures.file, disclosures.text);
      const shown = disclosures === null ? '' : ` --disclosures ${disclosures.file}`;
      const { verifierKey } = (await client.discovery()).ledger;
      call.result(
        { event, file, verifierKey, ...(disclosures === null ? {} : { disclosures: disclosures.file }) },
        facts(
          [
            ['receipt', file],
            ['disclosures', disclosures?.file ?? null],
            ['log key', verifierKey],
            ['check it', `lockstep ledger verify --receipt ${file}${shown} --key '${verifierKey}'`],
          ],
          call.style,
        ),
      );
    });

  addLedgerEvents(ledger, context);
  addErase(ledger, context);
  addPrune(ledger, context);
}

/** The id of the event that a receipt carries. */
function eventOf(receipt: string): string {
  const event = eventIn(parseReceipt(receipt)?.extra ?? new Uint8Array());
  return event === null ? '' : uidOf(event);
}

/** Beside the receipt and named for it: a wider choice never takes the place of a narrower one that was made under another name. */
async function disclosed(
  client: Client,
  receipt: string,
  event: string,
  places: readonly string[],
): Promise<{ readonly file: string; readonly text: string }> {
  const answer = await client.send('admin', 'GET', `/admin/v1/events/${event}/disclosures`);
  return {
    file: `${receipt.replace(/\.tlog-proof$/, '')}.disclosures.json`,
    text: chosenDisclosures(await answer.body.text(), places),
  };
}

async function verifyWhole(
  call: Invocation,
  source: string | undefined,
  options: TrustOptions,
  whole: boolean,
): Promise<void> {
  const { log, where, serverKeys } = await sourceOf(call, source);
  const told = trustOf(options);
  const trust = told ?? (await serverKeys());
  const started = Date.now();
  const bar = call.progress('verifying', (n) => count(n, 'entry', 'entries'));
  const verdict = await verifyLog(log, trust, {
    onProgress: (checked, size) => bar.at(checked, size),
    whole,
    signal: call.context.signal,
  });
  bar.clear();
  if (!verdict.ok)
    throw new CliError('not-verified', `The log at ${where} does not verify: ${verdict.reason}.`);
  const root = Buffer.from(verdict.root).toString('base64');
  if (told === null)
    call.note('The key came from the server itself; keep it, and give it with --key from now on.');
  const { logs, witnesses } = policyOf(trust);
  if (witnesses.length === 0) {
    call.note(
      options.policy !== undefined
        ? 'The policy asks for no witness, so this says nothing of what the log has shown to others.'
        : 'No witness was asked, so this says nothing of what the log has shown to others: give its policy with --policy.',
    );
  }
  const verifierKey = logs[0]?.verifierKey ?? '';
  call.result(
    {
      verified: true,
      origin: verdict.origin,
      size: verdict.size,
      firstIndex: verdict.firstIndex,
      entriesVerified: verdict.size - verdict.firstIndex,
      retention: retentionJson(verdict),
      root,
      verifierKey,
      witnesses: verdict.cosignatures.map(({ witness }) => witness),
    },
    facts(
      [
        [call.style.good('verified'), count(verdict.size - verdict.firstIndex, 'entry', 'entries')],
        ['log', verdict.origin],
        ...prunedSaid(verdict),
        ['root', root],
        ...logs.map((one): readonly [string, string] => ['key', one.verifierKey]),
        ['cosigned by', cosignedBy(verdict.cosignatures)],
        ['took', duration(Date.now() - started)],
      ],
      call.style,
    ),
  );
}

/** Null for a log that keeps everything. */
function retentionJson({ retention, retentionSignedBy, firstIndex }: Verified): object | null {
  if (retention === null) return null;
  const { kept, size, root, time, policy } = retention;
  return {
    keepsFrom: kept,
    stated: new Date(time * 1_000).toISOString(),
    policy,
    statedAtSize: size,
    statedAtRoot: Buffer.from(root).toString('base64'),
    signedBy: retentionSignedBy,
    stillThere: kept - firstIndex,
  };
}

/** Of a log that keeps everything there is nothing to say. */
function prunedSaid({ retention, firstIndex }: Verified): (readonly [string, string])[] {
  if (retention === null) return [];
  const { kept, time, policy } = retention;
  const there = kept - firstIndex;
  return [
    ['keeps', `from entry ${kept} on, stated ${moment(time * 1_000)}: ${policy}`],
    [
      'pruned',
      firstIndex === 0
        ? 'nothing here: all that may go is still there, and was checked'
        : `${count(firstIndex, 'entry', 'entries')}, all from the beginning to the first that was checked`,
    ],
    ...(there > 0 && firstIndex > 0
      ? [['still here', `${count(there, 'entry', 'entries')} before what it keeps, checked as well`] as const]
      : []),
  ];
}

function verifyOne(call: Invocation, file: string, disclosures: string | null, options: TrustOptions): void {
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
  const disclosed = disclosures === null ? null : disclosedBy(disclosures, verdict.entry);
  const event: unknown = disclosed?.event ?? JSON.parse(Buffer.from(verdict.entry).toString('utf8'));
  call.result(
    {
      verified: true,
      origin: verdict.origin,
      index: verdict.index,
      size: verdict.size,
      witnesses: verdict.cosignatures.map(({ witness }) => witness),
      event,
      ...(disclosed === null ? {} : { disclosed: disclosed.disclosed.flatMap(({ at }) => at) }),
    },
    facts(
      [
        [call.style.good('verified'), `entry ${verdict.index} of ${verdict.size}`],
        ['log', verdict.origin],
        ['cosigned by', cosignedBy(verdict.cosignatures)],
        ...shownEvent(event),
        ...(disclosed?.disclosed ?? []).map(({ at, value }): readonly [string, string] => [
          'disclosed',
          `${at[0] ?? ''}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
        ]),
      ],
      call.style,
    ),
  );
}
