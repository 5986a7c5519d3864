import { Command, Option } from 'commander';
import type { CliContext } from './context.ts';

type AddCommand = (program: Command, context: CliContext) => void;

/** In the order of the help. A command line loads the code of the one command that it names. */
const commands = new Map<string, () => Promise<AddCommand>>([
  ['serve', async () => (await import('./commands/serve.ts')).addServe],
  ['init', async () => (await import('./commands/init.ts')).addInit],
  ['config', async () => (await import('./commands/config.ts')).addConfig],
  ['login', async () => (await import('./commands/login.ts')).addLogin],
  ['logout', async () => (await import('./commands/logout.ts')).addLogout],
  ['whoami', async () => (await import('./commands/whoami.ts')).addWhoami],
  ['token', async () => (await import('./commands/token.ts')).addToken],
  ['job', async () => (await import('./commands/job.ts')).addJob],
  ['role', async () => (await import('./commands/role.ts')).addRole],
  ['deny', async () => (await import('./commands/deny.ts')).addDeny],
  ['management-group', async () => (await import('./commands/management-group.ts')).addManagementGroup],
  ['explain', async () => (await import('./commands/explain.ts')).addExplain],
  ['check', async () => (await import('./commands/check.ts')).addCheck],
  ['requests', async () => (await import('./commands/requests.ts')).addRequests],
  ['policy', async () => (await import('./commands/policy.ts')).addPolicy],
  ['connections', async () => (await import('./commands/connections.ts')).addConnections],
  ['sessions', async () => (await import('./commands/sessions.ts')).addSessions],
  ['ledger', async () => (await import('./commands/ledger.ts')).addLedger],
  ['witness', async () => (await import('./commands/witness.ts')).addWitness],
  ['user', async () => (await import('./commands/user.ts')).addUser],
  ['group', async () => (await import('./commands/group.ts')).addGroup],
  ['app', async () => (await import('./commands/app.ts')).addApp],
  ['principal', async () => (await import('./commands/principal.ts')).addPrincipal],
  ['help', async () => (await import('./commands/help.ts')).addHelp],
]);

/**
 * `lockstep` with the command that `argv` names; with every command where it names none, or `help`, for the help and
 * for suggestions. Parsing throws CommanderError instead of ending the process, and so does this; what is wrong with the
 * command line is printed first, unless `silent`.
 */
export async function createProgram(
  context: CliContext,
  argv: readonly string[],
  silent = false,
): Promise<Command> {
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
  const [name = ''] = program.parseOptions([...argv]).operands;
  const named = commands.get(name);
  const chosen = named === undefined || name === 'help' ? [...commands.values()] : [named];
  for (const add of await Promise.all(chosen.map((load) => load()))) add(program, context);
  for (const command of program.commands) settle(command);
  return program;
}

/** Subcommands inherit neither exit behaviour nor output by themselves once they are built elsewhere. */
function settle(command: Command): void {
  command.helpCommand(false).helpOption('-h, --help', 'Print help.');
  for (const child of command.commands) settle(child);
}
