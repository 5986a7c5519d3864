import type { Command } from 'commander';
import { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { createLog } from '../../lib/log.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { facts } from '../output/table.ts';

const schema = z.object({ home: z.string().optional(), config: z.string().optional() });

export function addInit(program: Command, context: CliContext): void {
  program
    .command('init')
    .description('Create the state of a new server: keys, the directory, a first administrator, a workspace.')
    .option('--home <directory>', 'Where its state shall live. Default: $LOCKSTEP_HOME, or ./.lockstep.')
    .option('--config <file>', 'Configuration file. Default: $LOCKSTEP_CONFIG, or config.json in the home.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { home, config: file } = call.options(schema);
      const config = loadConfig({
        ...(home === undefined ? {} : { home }),
        ...(file === undefined ? {} : { file }),
      });
      const { initialise } = await import('../../init.ts');
      const { created, adminLink } = await initialise(config, createLog(config.log.level));
      const shown = { created, home: config.home, adminLink };
      const state = created ? 'created' : 'was there already; nothing was changed';
      call.result(
        shown,
        facts(
          [
            ['state', `${config.home} (${state})`],
            ['sign in', adminLink],
            ['next', 'lockstep serve'],
          ],
          call.style,
        ),
      );
    });
}
