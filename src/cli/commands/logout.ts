import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';

export function addLogout(program: Command, context: CliContext): void {
  program
    .command('logout')
    .description('End this sign-in, on the server too, and forget its tokens.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const { file, server } = client.options;
      const account = (await file.read()).servers[server];
      if (account === undefined) throw new CliError('not-signed-in', `You are not signed in to ${server}.`);
      let ended = true;
      try {
        await client.done('admin', 'POST', '/admin/v1/me/sign-out');
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        ended = false;
        call.note(`The server was not told: ${error.message}`);
      }
      await file.change(async (present) => {
        const { [server]: _gone, ...servers } = present.servers;
        const current = present.current === server ? null : present.current;
        return { next: { ...present, current, servers }, result: null };
      });
      call.result({ server, ended }, `Signed out of ${server}.`);
    });
}
