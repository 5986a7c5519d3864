import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { configuredAddress } from '../config/load.ts';
import { CliError } from './cli-error.ts';
import { Client } from './connection/client.ts';
import { CredentialsFile } from './connection/credentials.ts';
import { trustFor } from './connection/trust.ts';
import type { CliContext } from './context.ts';
import { progress, type Progress } from './output/progress.ts';
import { styleFor, type Style } from './output/style.ts';

const globals = z.object({
  json: z.boolean().optional(),
  server: z.string().optional(),
  ca: z.string().optional(),
});

/** One run of one command. */
export interface Invocation {
  readonly context: CliContext;
  readonly json: boolean;
  readonly style: Style;
  /** Columns of the terminal; null when output is not one. */
  readonly width: number | null;
  /** The options of the command, through its schema. Throws CliError `usage`. */
  options<T>(schema: z.ZodType<T>): T;
  /** The server that the command line, the environment or the last sign-in names; or the one at `address`. */
  client(address?: string): Promise<Client>;
  /** The result, on standard output: the value as JSON under `--json`, else the text. */
  result(value: unknown, text: string): void;
  /** One line of a result that goes on. */
  line(value: unknown, text: string): void;
  /** Something for the person only, on standard error; nothing under `--json`. */
  note(text: string): void;
  /** A bar for the person only, on a terminal only. */
  progress(label: string, unit: (n: number) => string): Progress;
}

export function invocation(context: CliContext, command: Command): Invocation {
  const raw: unknown = command.optsWithGlobals();
  const { json = false, server, ca } = globals.parse(raw);
  let client: Promise<Client> | null = null;
  return {
    context,
    json,
    style: styleFor(context.terminal.colour),
    width: context.terminal.columns,
    options(schema) {
      const parsed = schema.safeParse(raw);
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw new CliError(
        'usage',
        `--${kebab(issue?.path.join('.') ?? '')}: ${issue?.message ?? 'is not valid'}`,
      );
    },
    client(address) {
      if (address !== undefined) return connect(context, address, ca ?? null);
      client ??= connect(context, server ?? null, ca ?? null);
      return client;
    },
    result(value, text) {
      if (json) context.stdout.write(JSON.stringify(value, null, 2) + '\n');
      else if (text !== '') context.stdout.write(text + '\n');
    },
    line(value, text) {
      context.stdout.write((json ? JSON.stringify(value) : text) + '\n');
    },
    note(text) {
      if (!json) context.stderr.write(text + '\n');
    },
    progress(label, unit) {
      return progress(context.stderr, context.terminal.redraw && !json, label, unit);
    },
  };
}

async function connect(context: CliContext, named: string | null, ca: string | null): Promise<Client> {
  const file = new CredentialsFile(context.settings.configHome);
  const credentials = await file.read();
  const server = originOf(named ?? context.settings.server ?? credentials.current ?? localAddress(context));
  const { agent, advice, caFile } = trustFor(
    context.settings,
    ca,
    credentials.servers[server]?.caFile ?? null,
  );
  const client = new Client({ server, agent, advice, caFile, file, version: context.version });
  context.atEnd.push(() => client.close());
  return client;
}

/** The address of the server whose state is on this machine, by its configuration. */
function localAddress(context: CliContext): string {
  if (!existsSync(context.settings.home)) return 'https://localhost:8443';
  const address = configuredAddress({ home: context.settings.home });
  if (new URL(address).port !== '0') return address;
  throw new CliError(
    'usage',
    `The server of ${context.settings.home} picks its port itself, at each start.`,
    {
      hint: 'Say the address that it printed: `lockstep login --server https://localhost:PORT`; the sign-in is remembered.',
    },
  );
}

function originOf(text: string): string {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `https://${text}`);
  } catch (cause) {
    throw new CliError('usage', `${text} is not an address; write https://host:port.`, { cause });
  }
  if (url.protocol !== 'https:') {
    throw new CliError('usage', `${text} is not https: tokens are not sent in clear.`);
  }
  return url.origin;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
