import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { explainedSchema, shownExplanation } from './explanation.ts';
import { replay } from './replay.ts';

const optionsSchema = z.object({ replay: z.boolean() });

export function addExplain(program: Command, context: CliContext): void {
  program
    .command('explain')
    .description('Explain a decision: which policy caused it, what would change it, and who can.')
    .argument('<decision>', 'Id of the decision, as every denial tells it.')
    .option('--replay', 'Make it again from the log, by the policy of its own moment.', false)
    .action(async (id: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      if (!/^dec_[0-9a-z]{26}$/.test(id)) {
        throw new CliError('usage', `\`${id}\` is not a decision id; it looks like dec_01h….`);
      }
      if (call.options(optionsSchema).replay) {
        await replay(call, { source: undefined, key: null, only: [id] });
        return;
      }
      const client = await call.client();
      const explained = await client.json('admin', 'GET', `/admin/v1/decisions/${id}`, explainedSchema);
      call.result(explained, shownExplanation(call, explained, await client.discovery()));
    });
}
