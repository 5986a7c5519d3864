import { Readable, Writable } from 'node:stream';
import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import type { CliContext } from './context.ts';
import { createProgram } from './program.ts';

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
const context: CliContext = {
  terminal: { colour: false, interactive: false, watched: false, redraw: false, columns: null },
  settings: { server: null, caFile: null, home: '.lockstep', configHome: '.' },
  stdin: Readable.from([]),
  stdout: nowhere,
  stderr: nowhere,
  signal: new AbortController().signal,
  version: '0.0.0',
  ending: 'ok',
  atEnd: [],
};

async function commandsFor(...argv: readonly string[]): Promise<string[]> {
  return (await createProgram(context, argv)).commands.map((command) => command.name());
}

test('every command is found by its name, and its code alone is loaded, whatever stands around it', async () => {
  const all = await commandsFor();
  expect(all.length).toBeGreaterThan(20);
  for (const name of all.filter((each) => each !== 'help')) {
    expect(await commandsFor(name)).toEqual([name]);
    expect(await commandsFor('--json', '--server', 'https://localhost', name, '--help')).toEqual([name]);
  }
});

test.each([
  [[]],
  [['--help', 'role']],
  [['--server', 'role']],
  [['rol']],
  [['rol', 'role']],
  [['--unknown', 'role']],
  [['help']],
  [['help', 'role']],
])('a command line that names none has them all, for the help and for suggestions: %j', async (argv) => {
  expect((await commandsFor(...argv)).length).toBeGreaterThan(20);
});

test('a command line that is wrong before any command throws what parsing it would throw', async () => {
  await expect(createProgram(context, ['--server'])).rejects.toMatchObject({
    code: 'commander.optionMissingArgument',
  });
});

async function printedBy(...argv: readonly string[]): Promise<string> {
  let printed = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      printed += chunk.toString();
      done();
    },
  });
  const program = await createProgram({ ...context, stdout }, argv);
  await program.parseAsync(argv, { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof CommanderError) || error.code !== 'commander.helpDisplayed') throw error;
  });
  return printed;
}

test.each([[[]], [['sessions']], [['sessions', 'cut']], [['role', 'definition', 'create']]])(
  'help %j prints what --help prints',
  async (words) => {
    const printed = await printedBy('help', ...words);
    expect(printed).toContain(`Usage: ${['lockstep', ...words].join(' ')} `);
    if (words.length > 0) expect(printed).toBe(await printedBy(...words, '--help'));
  },
);

test('help of what is no command says which may have been meant', async () => {
  await expect(printedBy('help', 'sesions')).rejects.toMatchObject({ hint: 'Did you mean `sessions`?' });
  await expect(printedBy('help', 'sessions', 'end')).rejects.toMatchObject({
    message: 'There is no command `end`.',
  });
});
