import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { count } from '../output/amounts.ts';
import { facts } from '../output/table.ts';

const exported = z.object({
  version: z.number(),
  policies: z.string(),
  policyCount: z.number(),
  entities: z.array(z.unknown()),
  schema: z.unknown(),
  notes: z.array(
    z.object({
      kind: z.enum(['not-expressible', 'without-effect']),
      policyId: z.string(),
      part: z.string().nullable(),
      why: z.string(),
    }),
  ),
});

export function addPolicy(program: Command, context: CliContext): void {
  const policy = program.command('policy').description('The whole policy.');

  policy
    .command('export')
    .description(
      'Write the whole policy for another policy engine: policies, entities, schema, and what could not be said. ' +
        'Needs Lockstep.Access/policy/export/read, and to see every role and deny assignment, group and security attribute.',
    )
    .addOption(new Option('--format <format>', 'The engine’s language.').choices(['cedar']).default('cedar'))
    .requiredOption('--out <directory>', 'Directory to write to. Files of an earlier export are replaced.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { format, out } = call.options(z.object({ format: z.string(), out: z.string() }));
      const client = await call.client();
      const answer = await client.json('admin', 'GET', '/admin/v1/policy/export', exported, {
        query: { format },
      });
      const { version, policies, policyCount, entities, schema, notes } = answer;
      const files = {
        'policies.cedar': policies,
        'entities.json': json(entities),
        'schema.cedarschema.json': json(schema),
        'notes.json': json({ version, notes }),
      };
      const written = Object.entries(files).map(([name, text]) => write(out, name, text));
      const inexact = notes.filter(({ kind }) => kind === 'not-expressible');
      if (inexact.length > 0) {
        call.note(
          `${count(inexact.length, 'condition', 'conditions')} cannot be said in Cedar: see notes.json. ` +
            'Cedar allows no more than Lockstep, but it may allow less.',
        );
      }
      call.result(
        { version, files: written, policies: policyCount, entities: entities.length, notes },
        facts(
          [
            ['revision', String(version)],
            ['policies', String(policyCount)],
            ['entities', String(entities.length)],
            ['notes', String(notes.length)],
            ['written', written.join('\n')],
          ],
          call.style,
        ),
      );
    });
}

function write(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  try {
    mkdirSync(directory, { recursive: true });
    // It names who may do what: nobody else's business.
    writeFileSync(file, text, { mode: 0o600 });
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be written.`, { cause });
  }
  return file;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}
