import { existsSync, readFileSync } from 'node:fs';
import { directorySource } from '../ledger/sources/directory-source.ts';
import type { TileSource } from '../ledger/verify/tile-source.ts';
import { CliError } from './cli-error.ts';
import type { Client } from './connection/client.ts';
import type { Invocation } from './invocation.ts';

export interface LogSource {
  readonly log: TileSource;
  readonly where: string;
  readonly serverKey: () => Promise<string>;
}

/** The log in a directory, at an address, or of the server. Throws CliError `not-found` for no such directory. */
export async function sourceOf(call: Invocation, source: string | undefined): Promise<LogSource> {
  if (source === undefined) {
    const client = await call.client();
    const { ledger } = await client.discovery();
    return {
      log: served(client, ledger.path),
      where: client.server + ledger.path,
      serverKey: () => Promise.resolve(ledger.verifierKey),
    };
  }
  const serverKey = () => {
    throw new CliError('usage', 'Give the log’s verifier key with --key: nothing else is trusted here.');
  };
  if (/^https?:/.test(source)) {
    const client = await call.client(source);
    return { log: served(client, new URL(source).pathname.replace(/\/$/, '')), where: source, serverKey };
  }
  if (!existsSync(source)) throw new CliError('not-found', `There is no directory ${source}.`);
  return { log: directorySource(source), where: source, serverKey };
}

function served(client: Client, prefix: string): TileSource {
  return {
    read: async (path) => {
      // Hashes are open to anyone, entries to whoever may read events.
      const face = path.startsWith('tile/entries/') ? 'admin' : 'open';
      const answer = await client.attempt(face, 'GET', `${prefix}/${path}`);
      if (answer.status === 404 || answer.status === 410) {
        await answer.body.dump();
        return null;
      }
      if (answer.status === 401 || answer.status === 403) {
        throw new CliError('denied', 'Checking the whole log means reading its entries, and you may not.', {
          hint: 'Ask for the role Lockstep Auditor; a receipt can be checked without it: `lockstep ledger verify --receipt`.',
        });
      }
      if (answer.status !== 200) {
        throw new CliError('failure', `${client.server}${prefix}/${path} answers ${answer.status}.`);
      }
      const chunks: Buffer[] = [];
      for await (const chunk of answer.body) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
  };
}

/** The key itself, or what a file of that name holds. Throws CliError `usage` when it is no key. */
export function keyOf(text: string): string {
  const key = text.includes('+') || !existsSync(text) ? text : readFileSync(text, 'utf8').trim();
  if (!/^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(key)) {
    throw new CliError('usage', `--key: ${text} is neither a verifier key nor a file that holds one.`, {
      hint: 'A key looks like lockstep.local/…+0af67a15+Af…; `lockstep ledger verify` shows that of the server.',
    });
  }
  return key;
}
