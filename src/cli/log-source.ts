import { existsSync, readFileSync } from 'node:fs';
import { directorySource } from '../ledger/sources/directory-source.ts';
import { httpSource } from '../ledger/sources/http-source.ts';
import type { TileSource } from '../ledger/verify/tile-source.ts';
import { CliError } from './cli-error.ts';
import type { Client } from './connection/client.ts';
import type { Invocation } from './invocation.ts';

export interface LogSource {
  readonly log: TileSource;
  readonly where: string;
  readonly serverKey: () => Promise<string>;
  /** All keys that sign at the moment. */
  readonly serverKeys: () => Promise<readonly string[]>;
}

/** The log in a directory, at an address, or of the server. Throws CliError `not-found` for no such directory. */
export async function sourceOf(call: Invocation, source: string | undefined): Promise<LogSource> {
  if (source === undefined) {
    const client = await call.client();
    const { ledger } = await client.discovery();
    return {
      log: served(client, ledger.path, 'admin'),
      where: client.server + ledger.path,
      serverKey: () => Promise.resolve(ledger.verifierKey),
      serverKeys: () => Promise.resolve(ledger.verifierKeys ?? [ledger.verifierKey]),
    };
  }
  const serverKey = () => {
    throw new CliError(
      'usage',
      'Say whom to trust, with --key or --policy: a log is not asked about itself.',
    );
  };
  const given = { where: source, serverKey, serverKeys: serverKey };
  if (source.startsWith('http:')) {
    return { ...given, log: httpSource(source, { signal: call.context.signal }) };
  }
  if (source.startsWith('https:')) {
    const client = await call.client(source);
    return { ...given, log: served(client, new URL(source).pathname.replace(/\/$/, ''), 'open') };
  }
  if (!existsSync(source)) throw new CliError('not-found', `There is no directory ${source}.`);
  return { ...given, log: directorySource(source) };
}

/**
 * Hashes are open to anyone, a Lockstep's entries to whoever may read events. Any web server can serve a log, so at an
 * address that was named nothing is sent of who we are until it is asked for.
 */
function served(client: Client, prefix: string, entriesAs: 'admin' | 'open'): TileSource {
  let face = entriesAs;
  return {
    read: async (path) => {
      const isEntries = path.startsWith('tile/entries/');
      // Many are read at once: what counts is how this one was asked, not what another has found out meanwhile.
      const asked = isEntries ? face : 'open';
      let answer = await client.attempt(asked, 'GET', `${prefix}/${path}`);
      if (isEntries && asked === 'open' && (answer.status === 401 || answer.status === 403)) {
        await answer.body.dump();
        face = 'admin';
        answer = await client.attempt(face, 'GET', `${prefix}/${path}`);
      }
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
export function keyOf(text: string, option = '--key'): string {
  const key = text.includes('+') || !existsSync(text) ? text : readFileSync(text, 'utf8').trim();
  if (!/^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(key)) {
    throw new CliError('usage', `${option}: ${text} is neither a verifier key nor a file that holds one.`, {
      hint: 'A key looks like lockstep.local/…+0af67a15+Af…; `lockstep ledger verify` shows that of the server.',
    });
  }
  return key;
}
