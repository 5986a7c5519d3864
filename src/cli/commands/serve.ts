import type { Command } from 'commander';
import { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { createLog } from '../../lib/log.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { stopAsked } from '../stop-asked.ts';

const schema = z.object({
  home: z.string().optional(),
  config: z.string().optional(),
  init: z.boolean(),
  link: z.boolean(),
});

export function addServe(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('Run the server until Ctrl-C, which drains it.')
    .option('--home <directory>', 'Where its state lives. Default: $LOCKSTEP_HOME, or ./.lockstep.')
    .option('--config <file>', 'Configuration file. Default: $LOCKSTEP_CONFIG, or config.json in the home.')
    .option('--init', 'Create the state first if there is none.', false)
    .option('--link', 'Print a link that signs the first administrator in, once, within 15 minutes.', false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { home, config: file, init, link } = call.options(schema);
      const config = loadConfig({
        ...(home === undefined ? {} : { home }),
        ...(file === undefined ? {} : { file }),
      });
      const log = createLog(config.log.level);
      if (init) {
        const { initialise } = await import('../../init.ts');
        await initialise(config, log);
      }
      // Before the start: who asks for a stop meanwhile, or the moment that the line below is read, is heard too.
      const stop = stopAsked(context.signal);
      const { startLockstep } = await import('../../main.ts');
      const server = await startLockstep(config, log);
      const signIn = link ? await server.adminLink() : null;
      const shown = [`Lockstep serves ${server.url}; its state is in ${config.home}.`];
      if (signIn !== null) shown.push(`Sign in, once: ${signIn}`);
      call.line({ url: server.url, home: config.home, signIn }, shown.join('\n'));
      await stop;
      call.note('Draining; Ctrl-C again stops at once.');
      await server.drain();
    });
}
