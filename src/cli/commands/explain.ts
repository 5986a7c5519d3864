import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { decisionsOf } from './ledger-events.ts';
import { explainedSchema, shownExplanation } from './explanation.ts';
import { replay } from './replay.ts';

const optionsSchema = z.object({ replay: z.boolean() });

export function addExplain(program: Command, context: CliContext): void {
  program
    .command('explain')
    .description('Explain a decision: which policy caused it, what would change it, and who can.')
    .argument(
      '<decision>',
      'Id of the decision, as every denial tells it; or of the event or the request that `lockstep ledger tail` shows (needs Lockstep.Access/events/read).',
    )
    .option('--replay', 'Make it again from the log, by the policy of its own moment.', false)
    .action(async (named: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const id = await decisionNamed(call, named);
      if (call.options(optionsSchema).replay) {
        await replay(call, { source: undefined, key: null, only: [id] });
        return;
      }
      const client = await call.client();
      const explained = await client.json('admin', 'GET', `/admin/v1/decisions/${id}`, explainedSchema);
      call.result(explained, shownExplanation(call, explained, await client.discovery()));
    });
}

/** A decision is told to whoever was refused; who looks into the log has the id of its event or of its request. */
async function decisionNamed(call: Invocation, named: string): Promise<string> {
  if (/^dec_[0-9a-z]{26}$/.test(named)) return named;
  if (!/^(?:evt|req)_[0-9a-z]{26}$/.test(named)) {
    const message = `\`${named}\` is not a decision id; it looks like dec_01h….`;
    const hint =
      'Who was refused finds it in the error; `lockstep ledger tail --decision deny` lists the last denials.';
    throw new CliError('usage', message, { hint });
  }
  const decisions = await decisionsOf(await call.client(), named, call.context.signal);
  const [id] = decisions;
  if (id === undefined) throw new CliError('not-found', `No decision belongs to ${named}.`);
  if (decisions.length === 1) return id;
  const message = `To ${named} belong ${decisions.length} decisions: say which.`;
  throw new CliError('usage', message, { facts: decisions.map((each) => ['decision', each]) });
}
