import type { Command } from 'commander';
import { nearestKey } from '../../config/nearest-key.ts';
import { CliError } from '../cli-error.ts';

export function addHelp(program: Command): void {
  program
    .command('help')
    .description('Print help, as --help does: of all, or of one command.')
    .argument('[command...]', 'Such as `sessions cut`.')
    .action((words: readonly string[]) => {
      let shown = program;
      for (const word of words) {
        const names = shown.commands.map((each) => each.name());
        const next = shown.commands.find((each) => each.name() === word);
        if (next === undefined) throw noCommand(word, names);
        shown = next;
      }
      shown.outputHelp();
    });
}

function noCommand(word: string, names: readonly string[]): CliError {
  const near = nearestKey(word, names);
  const hint = near === null ? `There are: ${names.join(', ')}.` : `Did you mean \`${near}\`?`;
  return new CliError('usage', `There is no command \`${word}\`.`, names.length === 0 ? {} : { hint });
}
