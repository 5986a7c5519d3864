// Writes docs/reference/cli.md from the definitions of the commands; --check compares.
import { Readable, Writable } from 'node:stream';
import type { Argument, Command, Option } from 'commander';
import { exitCodes } from '../src/cli/exit-codes.ts';
import { createProgram } from '../src/cli/program.ts';
import { writeOrCheck } from './write-or-check.ts';

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
const program = await createProgram(
  {
    terminal: { colour: false, interactive: false, watched: false, redraw: false, columns: null },
    settings: { server: null, caFile: null, home: '.lockstep', configHome: '.' },
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    signal: new AbortController().signal,
    version: '',
    ending: 'ok',
    atEnd: [],
  },
  [],
);

const sections = program.commands.flatMap((command) => describe(command, 'lockstep'));

await writeOrCheck(
  'docs/reference/cli.md',
  [
    '# The command line',
    '',
    '`lockstep <command>`; in a clone, `npx lockstep <command>`. Results go to standard output, everything else to',
    'standard error. Tables are for people and may change; `--json` is for programs and keeps its shape.',
    '',
    '## Everywhere',
    '',
    ...optionRows(program.options),
    '',
    'Colours are shown on a terminal only, and never under [`NO_COLOR`](https://no-color.org).',
    '',
    '| Environment variable | Meaning |',
    '| --- | --- |',
    '| `LOCKSTEP_URL` | Server to talk to. |',
    '| `LOCKSTEP_CA` | PEM file of a certificate authority to trust. |',
    '| `LOCKSTEP_HOME` | Where a server on this machine keeps its state. Default: `./.lockstep`. |',
    '| `LOCKSTEP_CONFIG_HOME` | Where credentials are kept, in `credentials.json` of mode 0600. Default: `~/.config/lockstep`. |',
    '',
    '## Exit codes',
    '',
    '| Code | Name | Meaning |',
    '| --- | --- | --- |',
    ...Object.entries(exitCodes).map(([name, { code, meaning }]) => `| ${code} | \`${name}\` | ${meaning} |`),
    '',
    'Under `--json` a failure is one line on standard error: `{"error":{"code","message","exitCode","hint","decisionId"}}`.',
    '',
    '## Commands',
    '',
    ...sections,
  ].join('\n'),
);

function describe(command: Command, parent: string): string[] {
  const name = `${parent} ${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((child) => describe(child, name));
  const args = command.registeredArguments;
  const usage = [name, ...args.map(argumentTerm), ...(command.options.length > 0 ? ['[options]'] : [])].join(
    ' ',
  );
  return [
    `### ${name}`,
    '',
    `\`${usage}\``,
    '',
    command.description(),
    '',
    ...(args.length === 0
      ? []
      : [...args.map((argument) => `- \`${argumentTerm(argument)}\`: ${argument.description}`), '']),
    ...(command.options.length === 0 ? [] : [...optionRows(command.options), '']),
  ];
}

function argumentTerm(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

function optionRows(options: readonly Option[]): string[] {
  return [
    '| Option | Meaning |',
    '| --- | --- |',
    ...options
      .filter((option) => option.long !== '--version')
      .map((option) => {
        const shown = typeof option.defaultValue === 'string' ? ` Default: \`${option.defaultValue}\`.` : '';
        const needed = option.mandatory ? ' Required.' : '';
        return `| \`${option.flags}\` | ${escaped(option.description)}${shown}${needed} |`;
      }),
  ];
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}
