import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { count } from '../output/amounts.ts';
import { facts } from '../output/table.ts';

const eraseSchema = z.object({
  person: z.string().optional(),
  id: z.string().optional(),
  address: z.array(z.string()).default([]),
});
const erasedSchema = z.object({
  id: z.string(),
  keys: z.number(),
  complete: z.boolean(),
  stillKnown: z.boolean(),
});

export function addErase(ledger: Command, context: CliContext): void {
  ledger
    .command('erase')
    .description(
      'Erase for ever what the ledger knows of somebody beyond ids: names, addresses, what was written about them. The log stays and verifies as before. Needs Lockstep.Access/ledger/erase/action.',
    )
    .option('--person <name>', 'Whom: sign-in name, or object id.')
    .option(
      '--id <id>',
      'In place of a person: a role, an assignment or a scope, for what was written about it.',
    )
    .option('--address <address...>', 'Other sign-in names or addresses that they had.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { person, id, address: addresses } = call.options(eraseSchema);
      if ((person === undefined) === (id === undefined)) {
        throw new CliError('usage', 'Say --person NAME or --id ID, one of them.');
      }
      const client = await call.client();
      const erased = await client.json('admin', 'POST', '/admin/v1/ledger/erase', erasedSchema, {
        json: { person, id, addresses },
      });
      if (erased.stillKnown) {
        call.note(
          'The directory still knows them: what is recorded from now on names them again. Delete them there (`lockstep user delete`), then erase once more, by object id.',
        );
      }
      if (!erased.complete) {
        call.note(
          'Another process holds the journal of the database: what was erased leaves it at the next start.',
        );
      }
      call.result(
        erased,
        facts(
          [
            ['erased', erased.id],
            ['destroyed', count(erased.keys, 'key')],
          ],
          call.style,
        ),
      );
    });
}
