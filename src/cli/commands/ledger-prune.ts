import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { count } from '../output/amounts.ts';
import { facts } from '../output/table.ts';
import { readTime } from '../time-text.ts';

const pruneSchema = z.object({
  before: z.string().optional(),
  keep: z.string().optional(),
  archive: z.boolean().default(false),
});
const prunedSchema = z.object({
  firstIndex: z.number(),
  rows: z.number(),
  archive: z.object({ firstIndex: z.number(), entries: z.number() }).optional(),
});

export function addPrune(ledger: Command, context: CliContext): void {
  ledger
    .command('prune')
    .description(
      'Remove old events from the database. The published log keeps them all, and receipts are made from it; search and explain no longer find them. Needs Lockstep.Access/ledger/prune/action.',
    )
    .option('--before <time>', 'What happened before: a time of ISO 8601.')
    .option('--keep <time>', 'What is older than this: 400d, 26w.')
    .option(
      '--archive',
      'Let the published log forget it as well, for ever: whole bundles from the beginning, with a statement that its key signs. Needs Lockstep.Access/ledger/pruneArchive/action too.',
      false,
    )
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { before, keep, archive } = call.options(pruneSchema);
      if ((before === undefined) === (keep === undefined)) {
        throw new CliError('usage', 'Say --before TIME or --keep 400d, one of them.');
      }
      const limit = readTime(before === undefined ? 'keep' : 'before', before ?? keep ?? '', Date.now());
      const client = await call.client();
      const pruned = await client.json('admin', 'POST', '/admin/v1/ledger/prune', prunedSchema, {
        json: { before: limit, archive },
      });
      call.result(
        { ...pruned, before: limit },
        facts(
          [
            ['removed', count(pruned.rows, 'row')],
            ['first kept', `entry ${pruned.firstIndex} of the log`],
            [
              'forgotten',
              pruned.archive === undefined ? null : count(pruned.archive.entries, 'entry', 'entries'),
            ],
            ['log begins', pruned.archive === undefined ? null : `at entry ${pruned.archive.firstIndex}`],
            ['before', limit],
          ],
          call.style,
        ),
      );
    });
}
