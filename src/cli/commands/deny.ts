import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { z } from 'zod';
import { armCollection } from '../arm.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { Discovery } from '../connection/discovery.ts';
import type { CliContext } from '../context.ts';
import { principalNamed, principalNames } from '../directory.ts';
import { guidOf } from '../guid-of.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { count } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';
import { pathOfScope, scopeHelp, scopeNamed, scopeToGiveAt, shortScope } from '../scopes.ts';

const everyone = '00000000-0000-0000-0000-000000000000';
const provider = 'providers/Microsoft.Authorization/denyAssignments';

const schema = z.looseObject({
  id: z.string(),
  name: z.string(),
  properties: z.looseObject({
    denyAssignmentName: z.string(),
    description: z.string().nullish(),
    scope: z.string(),
    doNotApplyToChildScopes: z.boolean().optional(),
    permissions: z.array(z.looseObject({ actions: z.array(z.string()), dataActions: z.array(z.string()) })),
    principals: z.array(z.looseObject({ id: z.string() })),
    excludePrincipals: z.array(z.looseObject({ id: z.string() })),
    condition: z.string().nullish(),
  }),
});

const createOptions = z.object({
  name: z.string(),
  scope: z.string(),
  everyone: z.boolean(),
  principal: z.array(z.string()),
  except: z.array(z.string()),
  action: z.array(z.string()),
  dataAction: z.array(z.string()),
  children: z.boolean(),
  condition: z.string().optional(),
});

const several = (value: string, before: string[]): string[] => [...before, value];

export function addDeny(program: Command, context: CliContext): void {
  const deny = program.command('deny').description('Deny assignments: what must not be, whatever roles say.');

  deny
    .command('create')
    .description('Deny actions to principals, or to everyone. In force on the next request; streams are cut.')
    .requiredOption('--name <name>', 'What it is called, in every denial that it causes.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .option('--everyone', 'Deny it to everyone.', false)
    .option(
      '--principal <who>',
      'Deny it to this person, group or application; may be repeated.',
      several,
      [],
    )
    .option('--except <who>', 'Spare this person, group or application; may be repeated.', several, [])
    .option('--action <pattern>', 'Action that is denied, such as `*/delete`; may be repeated.', several, [])
    .option('--data-action <pattern>', 'Data action that is denied; may be repeated.', several, [])
    .option('--no-children', 'At that very scope only, not beneath it.')
    .option('--condition <text>', "Condition under which it denies, in Azure's format 2.0.")
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(createOptions);
      if (options.everyone === options.principal.length > 0) {
        throw new CliError('usage', 'Say whom: either --everyone or --principal.', {
          hint: '--everyone --except "Platform team"',
        });
      }
      if (options.action.length + options.dataAction.length === 0) {
        throw new CliError('usage', 'Say what: --action or --data-action.', { hint: "--action '*'" });
      }
      const client = await call.client();
      const places = await client.discovery();
      const scope = scopeToGiveAt(options.scope, places);
      const made = await client.json(
        'arm',
        'PUT',
        `${pathOfScope(scope)}/${provider}/${randomUUID()}`,
        schema,
        {
          json: {
            properties: {
              denyAssignmentName: options.name,
              permissions: [{ actions: options.action, dataActions: options.dataAction }],
              principals: options.everyone
                ? [{ id: everyone, type: 'SystemDefined' }]
                : await idsOf(client, options.principal),
              excludePrincipals: await idsOf(client, options.except),
              doNotApplyToChildScopes: !options.children,
              ...(options.condition === undefined
                ? {}
                : { condition: options.condition, conditionVersion: '2.0' }),
            },
          },
        },
      );
      call.result(
        made,
        facts(
          [
            ['denied by', made.properties.denyAssignmentName],
            ['at', shortScope(made.properties.scope, places)],
            ['deny assignment', made.name],
          ],
          call.style,
        ),
      );
    });

  deny
    .command('list')
    .description('List the deny assignments that hold at a scope.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const places = await client.discovery();
      const scope = scopeNamed(call.options(z.object({ scope: z.string() })).scope, places);
      const found = await armCollection(client, `${pathOfScope(scope)}/${provider}`, schema, {
        $filter: 'atScope()',
      });
      const shown = table(
        found,
        [
          { title: 'NAME', value: (row) => row.properties.denyAssignmentName },
          {
            title: 'DENIES',
            value: (row) => row.properties.permissions.flatMap(({ actions }) => actions).join(', '),
          },
          {
            title: 'DENIES DATA',
            value: (row) => row.properties.permissions.flatMap(({ dataActions }) => dataActions).join(', '),
          },
          {
            title: 'TO',
            value: (row) =>
              row.properties.principals.some(({ id }) => id === everyone)
                ? 'everyone'
                : count(row.properties.principals.length, 'principal'),
          },
          {
            title: 'EXCEPT',
            value: ({ properties: { excludePrincipals: spared } }) =>
              spared.length === 0 ? null : count(spared.length, 'principal'),
          },
          { title: 'DENY ASSIGNMENT', value: (row) => row.name },
          { title: 'SCOPE', value: (row) => shortScope(row.properties.scope, places) },
        ],
        call.style,
        call.width,
      );
      call.result(found, shown === '' ? `Nothing is denied at ${shortScope(scope, places)}.` : shown);
    });

  deny
    .command('show')
    .description('Show one deny assignment whole.')
    .argument('<deny assignment>', 'Its id: `lockstep deny list` shows it.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { client, places, found } = await heldNamed(call, name);
      const { properties } = found;
      const { principals, excludePrincipals } = properties;
      const names = await principalNames(
        client,
        [...principals, ...excludePrincipals].map(({ id }) => id).filter((id) => id !== everyone),
      );
      const said = (of: readonly { readonly id: string }[]) =>
        of.map(({ id }) => (id === everyone ? 'everyone' : (names.get(id) ?? id))).join('\n') || null;
      call.result(
        found,
        facts(
          [
            ['denied by', properties.denyAssignmentName],
            ['deny assignment', found.name],
            ['about', properties.description ?? null],
            ['to', said(principals)],
            ['except', said(excludePrincipals)],
            ['at', shortScope(properties.scope, places)],
            ['beneath it', properties.doNotApplyToChildScopes === true ? 'no' : 'yes'],
            ['permissions', properties.permissions.map((each) => JSON.stringify(each, null, 1)).join('\n')],
            ['condition', properties.condition ?? null],
          ],
          call.style,
        ),
      );
    });

  deny
    .command('delete')
    .description('End a deny assignment. In force on the next request.')
    .argument('<deny assignment>', 'Its id: `lockstep deny list` shows it.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { client, found } = await heldNamed(call, name);
      await client.done('arm', 'DELETE', `${pathOfScope(found.properties.scope)}/${provider}/${found.name}`);
      call.result({ deleted: found.name }, `deleted  ${found.properties.denyAssignmentName}`);
    });
}

interface Held {
  readonly client: Client;
  readonly places: Discovery;
  readonly found: z.infer<typeof schema>;
}

/** The one of that id among those that hold at the scope of the command. Throws CliError `not-found`. */
async function heldNamed(call: Invocation, name: string): Promise<Held> {
  const client = await call.client();
  const places = await client.discovery();
  const scope = scopeNamed(call.options(z.object({ scope: z.string() })).scope, places);
  const held = await armCollection(client, `${pathOfScope(scope)}/${provider}`, schema, {
    $filter: 'atScope()',
  });
  const id = guidOf(name) ?? name;
  const found = held.find((row) => row.name.toLowerCase() === id.toLowerCase());
  if (found) return { client, places, found };
  const at = shortScope(scope, places);
  throw new CliError('not-found', `No deny assignment \`${name}\` holds at ${at}.`, {
    hint: `\`lockstep deny list --scope ${at}\` shows their ids; those of another place need its --scope.`,
  });
}

async function idsOf(client: Client, names: readonly string[]): Promise<{ id: string }[]> {
  const ids: { id: string }[] = [];
  for (const name of names) ids.push({ id: (await principalNamed(client, name)).id });
  return ids;
}
