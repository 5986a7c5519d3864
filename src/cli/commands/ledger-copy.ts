import type { Command } from 'commander';
import { z } from 'zod';
import { copyLog } from '../../ledger/sources/copy-log.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { sourceOf } from '../log-source.ts';
import { addTrust, cosignedBy, trustOf, trustShape } from '../log-trust.ts';
import { count } from '../output/amounts.ts';
import { facts } from '../output/table.ts';

const copySchema = z.object(trustShape);

export function addCopy(ledger: Command, context: CliContext): void {
  const copy = ledger
    .command('copy')
    .description(
      'Copy a log into a directory, checking all of it on the way, or go on with a copy. A copy verifies offline, and any web server can serve it.',
    )
    .argument('<directory>', 'Where the copy is, or is to be.')
    .argument('[source]', 'Directory or address of the log. Default: that of the server.');
  addTrust(copy, 'Default: what the server says.').action(
    async (directory: string, source: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { log, where, serverKeys } = await sourceOf(call, source);
      const trust = trustOf(call.options(copySchema)) ?? (await serverKeys());
      const bar = call.progress('copying', (n) => count(n, 'entry', 'entries'));
      const verdict = await copyLog(log, directory, trust, {
        onProgress: (checked, size) => bar.at(checked, size),
        signal: call.context.signal,
      });
      bar.clear();
      if (!verdict.ok) {
        throw new CliError(
          'not-verified',
          `${where} is not copied to ${directory}, which stays what it was: ${verdict.reason}.`,
        );
      }
      const { origin, size, firstIndex, cosignatures } = verdict;
      call.result(
        { directory, origin, size, firstIndex, witnesses: cosignatures.map(({ witness }) => witness) },
        facts(
          [
            [call.style.good('copied'), count(size - firstIndex, 'entry', 'entries')],
            ['log', origin],
            ['to', directory],
            ['cosigned by', cosignedBy(cosignatures)],
          ],
          call.style,
        ),
      );
    },
  );
}
