import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import type { Client } from '../connection/client.ts';
import { principalNamed, type Principal } from '../directory.ts';
import { invocation } from '../invocation.ts';
import { facts } from '../output/table.ts';

const shownSchema = z.object({
  id: z.string(),
  customSecurityAttributes: z.record(z.string(), z.record(z.string(), z.unknown())).nullable(),
});
type Values = Readonly<Record<string, unknown>>;

export function addPrincipal(program: Command, context: CliContext): void {
  const attributes = program
    .command('principal')
    .description('People and applications, as policy sees them.')
    .command('attributes')
    .description('Custom security attributes, which conditions ask for.');

  attributes
    .command('show')
    .description('Show the attributes of a person or an application.')
    .argument('<principal>', 'Sign-in name, object id, application id, or name of an application.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const held = await valuesOf(client, pathOf(await principalNamed(client, name)));
      const rows = Object.entries(held).map(([key, value]): [string, string] => [key, JSON.stringify(value)]);
      call.result(held, rows.length === 0 ? `${name} has no attributes.` : facts(rows, call.style));
    });

  attributes
    .command('set')
    .description('Set attributes; what is not named stays. In force on the next request.')
    .argument('<principal>', 'Sign-in name, object id, application id, or name of an application.')
    .argument(
      '<set.name=value...>',
      'Such as Ml.Purpose=research, Ml.Gpus=4, Ml.Projects=["a","b"]; nothing after the = removes it.',
    )
    .action(async (name: string, pairs: string[], _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const sets: Record<string, Record<string, unknown>> = {};
      for (const pair of pairs) {
        const [, set, member, value] = /^([A-Za-z0-9]+)\.([A-Za-z0-9]+)=(.*)$/s.exec(pair) ?? [];
        if (set === undefined || member === undefined)
          throw new CliError('usage', `\`${pair}\` is not of the form set.name=value.`);
        (sets[set] ??= {})[member] = valueOf(value ?? '');
      }
      const client = await call.client();
      const path = pathOf(await principalNamed(client, name));
      await client.done('directory', 'PATCH', path, { json: { customSecurityAttributes: sets } });
      call.result({ principal: name, set: sets }, facts([['set', pairs.join(', ')]], call.style));
    });
}

/** A group has none: conditions ask for those of whoever decides. */
function pathOf({ id, type, displayName }: Principal): string {
  if (type === 'Group') throw new CliError('usage', `${displayName} is a group; groups have no attributes.`);
  return `/v1.0/${type === 'User' ? 'users' : 'servicePrincipals'}/${id}`;
}

async function valuesOf(client: Client, path: string): Promise<Values> {
  const query = { $select: 'id,customSecurityAttributes' };
  const { customSecurityAttributes } = await client.json('directory', 'GET', path, shownSchema, { query });
  const values: Record<string, unknown> = {};
  for (const [set, members] of Object.entries(customSecurityAttributes ?? {})) {
    for (const [member, value] of Object.entries(members)) {
      if (!member.includes('@')) values[`${set}.${member}`] = value;
    }
  }
  return values;
}

/** Integers, truth values and lists as in JSON; whatever else it says is a text, and nothing is none. */
function valueOf(text: string): unknown {
  if (text === '') return null;
  if (!/^(?:-?\d+|true|false|\[.*\])$/s.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
