import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { verifyConsistency } from '../../ledger/verify/verify-consistency.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { sourceOf } from '../log-source.ts';
import { addTrust, cosignedBy, trustOf, trustShape } from '../log-trust.ts';
import { count } from '../output/amounts.ts';
import { facts } from '../output/table.ts';

const schema = z.object({ ...trustShape, update: z.boolean() });

export function addConsistency(ledger: Command, context: CliContext): void {
  const command = ledger
    .command('consistency')
    .description(
      'Check that a log has only grown since a checkpoint that you have kept: nothing removed, nothing altered.',
    )
    .argument('<checkpoint>', 'File that holds the older checkpoint.')
    .argument('[source]', 'Directory or address of the log. Default: that of the server.');
  addTrust(command, 'Default: what the server says.')
    .option('--update', 'Put the newer checkpoint in the place of the older one, once it is checked.', false)
    .action(async (file: string, source: string | undefined, _options: unknown, self: Command) => {
      const call = invocation(context, self);
      const options = call.options(schema);
      const older = read(file);
      const { log, where, serverKeys } = await sourceOf(call, source);
      const verdict = await verifyConsistency(log, older, trustOf(options) ?? (await serverKeys()));
      if (!verdict.ok) {
        throw new CliError(
          'not-verified',
          `The log at ${where} is not what ${file} says: ${verdict.reason}.`,
          {
            hint: `Keep ${file}: with the checkpoint that the log shows now, it is the proof.`,
          },
        );
      }
      if (options.update) writeFileSync(file, verdict.note);
      const { origin, oldSize, newSize } = verdict;
      call.result(
        {
          consistent: true,
          origin,
          oldSize,
          newSize,
          witnesses: verdict.cosignatures.map(({ witness }) => witness),
        },
        facts(
          [
            [call.style.good('only grown'), `from ${oldSize} to ${count(newSize, 'entry', 'entries')}`],
            ['log', origin],
            ['cosigned by', cosignedBy(verdict.cosignatures)],
          ],
          call.style,
        ),
      );
    });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
