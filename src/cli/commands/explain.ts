import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { explainedSchema, shownExplanation } from './explanation.ts';

export function addExplain(program: Command, context: CliContext): void {
  program
    .command('explain')
    .description('Explain a decision: which policy caused it, what would change it, and who can.')
    .argument('<decision>', 'Id of the decision, as every denial tells it.')
    .action(async (id: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      if (!/^dec_[0-9a-z]{26}$/.test(id)) {
        throw new CliError('usage', `\`${id}\` is not a decision id; it looks like dec_01h….`);
      }
      const client = await call.client();
      const explained = await client.json('admin', 'GET', `/admin/v1/decisions/${id}`, explainedSchema);
      call.result(explained, shownExplanation(call, explained, await client.discovery()));
    });
}
