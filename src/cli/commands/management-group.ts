import type { Command } from 'commander';
import { z } from 'zod';
import { armCollection } from '../arm.ts';
import type { Client } from '../connection/client.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { plain } from '../output/style.ts';
import { facts, table } from '../output/table.ts';
import { managementGroupScope, scopeNamed } from '../scopes.ts';

interface Child {
  readonly name: string;
  readonly type: string;
  readonly displayName: string;
  readonly children?: readonly Child[] | undefined;
}

const childSchema: z.ZodType<Child> = z.lazy(() =>
  z.looseObject({
    name: z.string(),
    type: z.string(),
    displayName: z.string(),
    children: z.array(childSchema).optional(),
  }),
);
const groupSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  properties: z.looseObject({
    displayName: z.string(),
    details: z
      .looseObject({ parent: z.looseObject({ id: z.string(), name: z.string() }).optional() })
      .optional(),
    children: z.array(childSchema).optional(),
  }),
});
type Group = z.infer<typeof groupSchema>;

const groupsPath = '/providers/Microsoft.Management/managementGroups';
const nameHelp = 'Its name (id), not what it is shown as.';
const parentOption = z.object({ parent: z.string().optional() });
const createOptions = parentOption.extend({ displayName: z.string().optional() });
const subscriptionOption = z.object({ subscription: z.string().optional() });
const whichSubscription = 'Id of the subscription. Default: that of the default workspace.';

export function addManagementGroup(program: Command, context: CliContext): void {
  const group = program
    .command('management-group')
    .description('Management groups: what is given above several subscriptions holds in all of them.');

  group
    .command('create')
    .description('Make a management group.')
    .argument('<name>', 'Name: letters, digits, `-`, `_`, `.` and parentheses.')
    .option('--display-name <text>', 'What it is shown as. Default: its name.')
    .option('--parent <name>', 'The group that it goes beneath. Default: the root management group.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { displayName, parent } = call.options(createOptions);
      const client = await call.client();
      const places = await client.discovery();
      const made = await client.json('arm', 'PUT', pathOf(name), groupSchema, {
        json: {
          properties: {
            ...(displayName === undefined ? {} : { displayName }),
            details: { parent: { id: managementGroupScope(parent, places) } },
          },
        },
      });
      call.result(made, facts([['created', made.name], ...placeOf(made)], call.style));
    });

  group
    .command('list')
    .description('List the management groups that you may see.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const groups = await armCollection(await call.client(), groupsPath, groupSchema);
      const shown = table(
        groups,
        [
          { title: 'MANAGEMENT GROUP', value: (row) => row.name },
          { title: 'SHOWN AS', value: (row) => row.properties.displayName },
        ],
        call.style,
        call.width,
      );
      call.result(groups, shown === '' ? 'You may see no management group.' : shown);
    });

  group
    .command('show')
    .description('Show a management group and all beneath it; without a name, the root.')
    .argument('[name]', nameHelp)
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const places = await client.discovery();
      const found = await client.json('arm', 'GET', managementGroupScope(name, places), groupSchema, {
        query: { $expand: 'children', $recurse: 'true' },
      });
      const lines = [
        label(found.name, found.properties.displayName),
        ...tree(found.properties.children ?? [], 1),
      ];
      call.result(found, [...placeOf(found).map(([key, value]) => `${key}  ${value}`), ...lines].join('\n'));
    });

  group
    .command('move')
    .description(
      'Put a management group beneath another. Rights and denials follow at once; streams are cut.',
    )
    .argument('<name>', nameHelp)
    .option('--parent <name>', 'The group that it goes beneath. Default: the root management group.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { parent } = call.options(parentOption);
      const client = await call.client();
      const parentGroupId = managementGroupScope(parent, await client.discovery());
      const moved = await client.json('arm', 'PATCH', pathOf(name), groupSchema, { json: { parentGroupId } });
      call.result(moved, facts([['moved', moved.name], ...placeOf(moved)], call.style));
    });

  group
    .command('delete')
    .description('Delete a management group beneath which nothing is left, with the roles given at it.')
    .argument('<name>', nameHelp)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      await (await call.client()).done('arm', 'DELETE', pathOf(name));
      call.result({ deleted: name }, `deleted  ${name}`);
    });

  group
    .command('add-subscription')
    .description(
      'Put a subscription beneath a management group. Rights and denials follow at once; streams are cut.',
    )
    .argument('<name>', nameHelp)
    .option('--subscription <id>', whichSubscription)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const id = await subscriptionId(client, call.options(subscriptionOption).subscription);
      await client.done('arm', 'PUT', `${pathOf(name)}/subscriptions/${id}`);
      call.result({ subscription: id, managementGroup: name }, `placed  ${id} beneath ${name}`);
    });

  group
    .command('remove-subscription')
    .description('Take a subscription out of a management group: it goes back beneath the root.')
    .argument('<name>', nameHelp)
    .option('--subscription <id>', whichSubscription)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const id = await subscriptionId(client, call.options(subscriptionOption).subscription);
      await client.done('arm', 'DELETE', `${pathOf(name)}/subscriptions/${id}`);
      call.result({ subscription: id, removedFrom: name }, `removed  ${id} from ${name}`);
    });
}

function pathOf(name: string): string {
  return `${groupsPath}/${encodeURIComponent(name)}`;
}

async function subscriptionId(client: Client, given: string | undefined): Promise<string> {
  if (given !== undefined) return encodeURIComponent(given);
  const scope = scopeNamed('subscription', await client.discovery());
  return scope.slice(scope.lastIndexOf('/') + 1);
}

function placeOf({ properties }: Group): [string, string][] {
  const parent = properties.details?.parent;
  return parent ? [['beneath', parent.name]] : [];
}

function tree(children: readonly Child[], depth: number): string[] {
  return children.flatMap((child) => [
    `${'  '.repeat(depth)}${child.type === '/subscriptions' ? `subscription ${plain(child.name)}` : label(child.name, child.displayName)}`,
    ...tree(child.children ?? [], depth + 1),
  ]);
}

function label(name: string, displayName: string): string {
  return plain(name === displayName ? name : `${name} (${displayName})`);
}
