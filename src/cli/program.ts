import { Command, Option } from 'commander';
import type { CliContext } from './context.ts';
import { addApp } from './commands/app.ts';
import { addCheck } from './commands/check.ts';
import { addConfig } from './commands/config.ts';
import { addExplain } from './commands/explain.ts';
import { addDeny } from './commands/deny.ts';
import { addGroup } from './commands/group.ts';
import { addInit } from './commands/init.ts';
import { addJob } from './commands/job.ts';
import { addLedger } from './commands/ledger.ts';
import { addLogin } from './commands/login.ts';
import { addLogout } from './commands/logout.ts';
import { addManagementGroup } from './commands/management-group.ts';
import { addPolicy } from './commands/policy.ts';
import { addPrincipal } from './commands/principal.ts';
import { addRole } from './commands/role.ts';
import { addServe } from './commands/serve.ts';
import { addSessions } from './commands/sessions.ts';
import { addToken } from './commands/token.ts';
import { addUser } from './commands/user.ts';
import { addWitness } from './commands/witness.ts';
import { addWhoami } from './commands/whoami.ts';

/**
 * Every command of `lockstep`. Parsing throws CommanderError instead of ending the process; what is wrong with the
 * command line is printed first, unless `silent`.
 */
export function createProgram(context: CliContext, silent = false): Command {
  const program = new Command('lockstep')
    .description('Identity and machine learning, on one track, locked and synced.')
    .version(context.version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print help.')
    .helpCommand(false)
    .addOption(new Option('--json', 'Print results as JSON, and errors as JSON on standard error.'))
    .addOption(
      new Option(
        '--server <url>',
        'Server to talk to. Default: $LOCKSTEP_URL, the last sign-in, or the local one.',
      ),
    )
    .addOption(
      new Option(
        '--ca <file>',
        'PEM file of a certificate authority to trust. Default: $LOCKSTEP_CA, or that of the local server.',
      ),
    )
    .configureHelp({ sortSubcommands: false, showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => {
        if (!silent) context.stderr.write(text);
      },
      getOutHelpWidth: () => context.terminal.columns ?? 100,
      getErrHelpWidth: () => context.terminal.columns ?? 100,
      getOutHasColors: () => context.terminal.colour,
      getErrHasColors: () => context.terminal.colour,
    })
    .showHelpAfterError('Run with --help to see the usage.')
    .exitOverride();
  const add = [
    addServe,
    addInit,
    addConfig,
    addLogin,
    addLogout,
    addWhoami,
    addToken,
    addJob,
    addRole,
    addDeny,
    addManagementGroup,
    addExplain,
    addCheck,
    addPolicy,
    addSessions,
    addLedger,
    addWitness,
    addUser,
    addGroup,
    addApp,
    addPrincipal,
  ];
  for (const addCommand of add) addCommand(program, context);
  for (const command of program.commands) settle(command);
  return program;
}

/** Subcommands inherit neither exit behaviour nor output by themselves once they are built elsewhere. */
function settle(command: Command): void {
  command.helpCommand(false).helpOption('-h, --help', 'Print help.');
  for (const child of command.commands) settle(child);
}
