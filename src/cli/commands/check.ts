import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { scopeHelp, scopeNamed } from '../scopes.ts';
import { explainedSchema, shownExplanation, type Explained } from './explanation.ts';

const schema = z.object({
  for: z.string().optional(),
  scope: z.string(),
  dataAction: z.boolean().optional(),
});

export function addCheck(program: Command, context: CliContext): void {
  program
    .command('check')
    .description('Ask whether an action would be allowed, and why or why not. Nothing is done.')
    .argument('<action>', 'Operation, such as Microsoft.MachineLearningServices/workspaces/jobs/write.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .option('--for <who>', 'Sign-in name, object id or application id. Default: you, as you are signed in.')
    .option('--data-action', 'It is a data action. Default: as known of the operation.')
    .action(async (action: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(schema);
      const client = await call.client();
      const checked = await client.json('admin', 'POST', '/admin/v1/check', explainedSchema, {
        json: {
          action,
          scope: scopeNamed(options.scope, await client.discovery()),
          ...(options.for === undefined ? {} : { principal: options.for }),
          ...(options.dataAction === undefined ? {} : { dataAction: options.dataAction }),
        },
      });
      call.result(checked, shownExplanation(call, checked, await client.discovery()));
      if (turnsOnRequest(checked)) {
        call.note(
          `\n${call.style.notice('A condition asks for what only a real request tells (@Request…): here that counts as missing, so the real answer may be yes.')}`,
        );
      }
      if (!checked.decision.allowed) context.ending = 'denied';
    });
}

/** Whether a condition could not be told for want of a request. */
function turnsOnRequest({ explanation }: Explained): boolean {
  return (explanation?.authorities ?? []).some((one) =>
    (one.remedy?.nearest ?? []).some(
      ({ shortfall }) =>
        shortfall.kind === 'condition' &&
        shortfall.failing?.sides.some((side) => /^@request\[/i.test(side.text) && side.value === null) ===
          true,
    ),
  );
}
