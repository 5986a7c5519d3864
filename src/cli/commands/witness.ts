import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import {
  readWitnessFile,
  witnessFileName,
  witnessKeyName,
  type WitnessFile,
  type WitnessFileInput,
} from '../../config/witness-file.ts';
import { createCosigner, generateNoteKey, parseVerifierKey } from '../../ledger/note.ts';
import { listenAsWitness } from '../../ledger/witness/witness-listener.ts';
import { WitnessRows } from '../../ledger/witness/witness-rows.ts';
import { Witness } from '../../ledger/witness/witness.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { keysOf } from '../log-trust.ts';
import { count } from '../output/amounts.ts';
import { facts } from '../output/table.ts';
import { stopAsked } from '../stop-asked.ts';

const initSchema = z.object({
  home: z.string(),
  log: z.array(z.string()).optional(),
  port: z.coerce.number('must be a number').int().min(0).max(65_535),
});
const serveSchema = z.object({ home: z.string() });

export function addWitness(program: Command, context: CliContext): void {
  const witness = program
    .command('witness')
    .description(
      'A witness: a second party that cosigns a log only as long as it grows, with nothing removed or altered.',
    );

  witness
    .command('init')
    .description('Make the key and the file of a witness in a directory of its own.')
    .argument('<name>', 'Name of the witness, such as audit.example.org/w1.')
    .requiredOption('--home <directory>', 'Where its key and what it has cosigned live.')
    .option(
      '--log <vkey>',
      'Verifier key of a log to watch, or a file that holds its keys; once for each. More can be added to witness.json.',
      (key: string, keys: readonly string[] | undefined) => [...(keys ?? []), key],
    )
    .option('--port <number>', 'Port to listen on.', '7380')
    .action((name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { home, log = [], port } = call.options(initSchema);
      const logs = log.flatMap((named) => keysOf(named, '--log'));
      for (const key of logs) {
        if (parseVerifierKey(key)?.kind !== 'note')
          throw new CliError('usage', `--log: ${key} is not the verifier key of a log.`);
      }
      if (existsSync(join(home, witnessKeyName)))
        throw new CliError('usage', `${home} holds a witness already: its key is never made anew.`);
      let key;
      try {
        key = generateNoteKey(name, 'cosignature');
      } catch (cause) {
        throw new CliError('usage', `${name} cannot be a name: ${(cause as Error).message}.`, { cause });
      }
      const file: WitnessFileInput = { listen: { host: '127.0.0.1', port }, logs };
      mkdirSync(home, { recursive: true, mode: 0o700 });
      writeFileSync(join(home, witnessFileName), JSON.stringify(file, null, 2) + '\n');
      writeFileSync(join(home, witnessKeyName), key.signingKey + '\n', { mode: 0o600, flag: 'wx' });
      new WitnessRows(join(home, databaseName)).close();
      call.result(
        { name, home, verifierKey: key.verifierKey },
        facts(
          [
            ['witness', name],
            ['key', key.verifierKey],
            ['in the policy', `witness NAME ${key.verifierKey} http://127.0.0.1:${port}`],
            ['start it', `lockstep witness serve --home ${home}`],
          ],
          call.style,
        ),
      );
    });

  witness
    .command('serve')
    .description('Run the witness until Ctrl-C.')
    .requiredOption('--home <directory>', 'The directory that `witness init` has made.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { home } = call.options(serveSchema);
      // A witness that has forgotten what it cosigned would cosign another history: its database is never made here.
      if (!existsSync(join(home, databaseName)))
        throw new CliError('not-found', `${home} holds no witness.`, {
          hint: 'Make one with `lockstep witness init`; if there was one, restore its directory.',
        });
      const { listen, tls, logs, signingKey } = read(home);
      const rows = new WitnessRows(join(home, databaseName));
      const log = createLog('info');
      try {
        const one = new Witness({ cosigner: createCosigner(signingKey), logs, rows, clock: systemClock });
        const listener = await listenAsWitness({ witness: one, ...listen, tls, log });
        call.line(
          { url: listener.url, verifierKey: one.verifierKey, logs },
          `The witness ${one.verifierKey} listens at ${listener.url}, for ${count(logs.length, 'log key')}.`,
        );
        await stopAsked(context.signal);
        await listener.close();
      } finally {
        rows.close();
      }
    });
}

const databaseName = 'witness.sqlite';

function read(home: string): WitnessFile {
  try {
    return readWitnessFile(home);
  } catch (cause) {
    throw new CliError('usage', (cause as Error).message, { cause });
  }
}
