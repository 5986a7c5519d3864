import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { Account } from '../connection/credentials.ts';
import { LinkBrowser } from '../connection/link-browser.ts';
import { signInPerson } from '../connection/sign-in.ts';
import { applicationGrant, tokenFailure } from '../connection/tokens.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { facts } from '../output/table.ts';

const schema = z.object({
  link: z.string().optional(),
  app: z.guid().optional(),
  federatedTokenFile: z.string().optional(),
  secretFile: z.string().optional(),
});

export function addLogin(program: Command, context: CliContext): void {
  program
    .command('login')
    .description('Sign in: in a browser, with a one-time link, or as an application.')
    .option('--link <url>', 'Redeem a one-time sign-in link instead of opening a browser.')
    .option('--app <id>', 'Sign in as an application, by its application (client) id.')
    .option(
      '--federated-token-file <file>',
      'With --app: a file with a token of a federated issuer; read anew each time.',
    )
    .option('--secret-file <file>', 'With --app: a file with a client secret; read anew each time.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(schema);
      const client = await call.client();
      const account =
        options.app === undefined
          ? await asPerson(call, client, options.link ?? null)
          : await asApplication(client, options.app, options);
      await client.options.file.change(async (present) => ({
        next: {
          ...present,
          current: client.server,
          servers: { ...present.servers, [client.server]: account },
        },
        result: null,
      }));
      const { id, name } = account.principal;
      call.result(
        { server: client.server, principal: account.principal, kind: account.kind },
        facts(
          [
            ['signed in', name === '' ? id : name],
            ['object id', name === '' ? null : id],
            ['server', client.server],
          ],
          call.style,
        ),
      );
    });
}

async function asPerson(call: Invocation, client: Client, link: string | null): Promise<Account> {
  const { signal } = call.context;
  if (link === null) {
    return signInPerson({
      client,
      signal,
      open: async (address) => {
        call.context.stderr.write(
          `Open this address in a browser of this machine to sign in:\n\n  ${address.href}\n\n`,
        );
      },
    });
  }
  const address = linkAddress(link, client.server);
  const browser = new LinkBrowser(client.server, client.options.agent, client.userAgent);
  const stopped = new AbortController();
  return signInPerson({
    client,
    signal: AbortSignal.any([signal, stopped.signal]),
    open: async (authorize) => {
      try {
        const welcome = await browser.press(await browser.open(address));
        if (welcome === null || welcome.status >= 400) throw refused();
        const last = await browser.open(authorize);
        if (last.url.hostname !== '127.0.0.1') throw refused();
      } catch (error) {
        stopped.abort();
        throw error;
      }
    },
  });
}

function refused(): CliError {
  return new CliError(
    'not-signed-in',
    'The sign-in link was not accepted: each works once, and for a short time.',
    {
      hint: 'Somebody who is signed in makes a new one: `lockstep user link NAME`. Where nobody is, stop the server and start it with --link.',
    },
  );
}

function linkAddress(link: string, server: string): URL {
  let url: URL;
  try {
    url = new URL(link);
  } catch (cause) {
    throw new CliError('usage', `--link: ${link} is not an address.`, { cause });
  }
  if (url.origin !== server) {
    throw new CliError('usage', `--link is of ${url.origin}, but the server is ${server}.`, {
      hint: `Say which: --server ${url.origin}`,
    });
  }
  return url;
}

async function asApplication(
  client: Client,
  clientId: string,
  { federatedTokenFile, secretFile }: z.infer<typeof schema>,
): Promise<Account> {
  const file = federatedTokenFile ?? secretFile;
  if (file === undefined || (federatedTokenFile !== undefined && secretFile !== undefined)) {
    throw new CliError('usage', '--app needs either --federated-token-file or --secret-file.');
  }
  const { issuer, resources } = await client.discovery();
  const source = { server: client.server, agent: client.options.agent, advice: client.options.advice };
  const kind = federatedTokenFile === undefined ? ('secret' as const) : ('federated-token' as const);
  const account = { kind, clientId, issuer, proofFile: resolve(file) };
  const granted = await applicationGrant(source, account, `${resources.admin}/.default`).catch(
    (error: unknown) => {
      throw tokenFailure(error, source, account);
    },
  );
  return {
    ...account,
    principal: { id: clientId, name: '' },
    refreshToken: null,
    caFile: client.options.caFile,
    tokens: {
      [resources.admin]: {
        accessToken: granted.access_token,
        expiresAt: Date.now() + (granted.expiresIn() ?? 60) * 1000,
      },
    },
  };
}
