import type { Command } from 'commander';
import { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { ConfigError, toldProblem } from '../../config/problems.ts';
import { parsePolicy } from '../../ledger/verify/policy.ts';
import type { CliContext } from '../context.ts';
import { configFailure } from '../config-failure.ts';
import { invocation } from '../invocation.ts';

const schema = z.object({ home: z.string().optional(), config: z.string().optional() });

export function addConfig(program: Command, context: CliContext): void {
  const config = program.command('config').description('The configuration of a server.');
  config
    .command('check')
    .description('Read the configuration as the server would, and name everything that is wrong with it.')
    .option('--home <directory>', 'Where the state lives. Default: $LOCKSTEP_HOME, or ./.lockstep.')
    .option('--config <file>', 'Configuration file. Default: $LOCKSTEP_CONFIG, or config.json in the home.')
    .action((_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { home, config: file } = call.options(schema);
      try {
        const read = loadConfig({
          ...(home === undefined ? {} : { home }),
          ...(file === undefined ? {} : { file }),
        });
        const policy = read.ledger.witnessPolicy;
        const parsed = policy === null ? null : parsePolicy(policy.text);
        if (policy !== null && parsed?.ok === false) {
          const message = `${policy.file} is not a policy: ${parsed.reason}.`;
          throw new ConfigError(read.file ?? read.home, [{ path: 'ledger.witnessPolicy', message }]);
        }
        const where = read.file ?? `no file in ${read.home}; the defaults hold`;
        const { warnings = [] } = read;
        const lines = [
          `${call.style.good('ok')}  ${where}`,
          ...warnings.map((warning) => `warning  ${toldProblem(warning).join('  ')}`),
        ];
        call.result({ file: read.file, problems: [], warnings }, lines.join('\n'));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        if (!call.json) throw configFailure(error);
        call.result({ file: error.file, problems: error.problems }, '');
        context.ending = 'usage';
      }
    });
}
