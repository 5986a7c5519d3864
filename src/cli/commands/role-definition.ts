import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { z } from 'zod';
import { armCollection } from '../arm.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { facts } from '../output/table.ts';
import { pathOfScope, requireScopeToGiveAt, scopeHelp, scopeNamed } from '../scopes.ts';
import { jsonOf } from '../text-of.ts';

const permission = z.looseObject({ actions: z.array(z.string()).nullish() });
const definition = z.looseObject({
  id: z.string(),
  name: z.string(),
  properties: z.looseObject({
    roleName: z.string(),
    description: z.string().nullish(),
    type: z.string().nullish(),
    permissions: z.array(permission),
    assignableScopes: z.array(z.string()),
  }),
});

/** Azure's JSON of a role: as the resource manager has it, or as `az role definition create` takes it. */
const file = z.union([
  z.object({ properties: z.looseObject({ roleName: z.string() }) }).transform(({ properties }) => properties),
  z.looseObject({ roleName: z.string() }),
  z.looseObject({ Name: z.string(), AssignableScopes: z.array(z.string()) }).transform((az) => ({
    roleName: az.Name,
    description: az['Description'],
    assignableScopes: az.AssignableScopes,
    permissions: [
      {
        actions: az['Actions'],
        notActions: az['NotActions'],
        dataActions: az['DataActions'],
        notDataActions: az['NotDataActions'],
      },
    ],
  })),
]);

const provider = 'providers/Microsoft.Authorization/roleDefinitions';

export function addDefinition(role: Command, context: CliContext): void {
  const group = role.command('definition').description('Roles: what each of them lets somebody do.');

  group
    .command('show')
    .description('Show the actions that a role holds.')
    .argument('<role>', 'Name or id of the role.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { scope } = call.options(z.object({ scope: z.string() }));
      const client = await call.client();
      const at = scopeNamed(scope, await client.discovery());
      const found = named(await armCollection(client, `${pathOfScope(at)}/${provider}`, definition), name);
      const { properties } = found;
      call.result(
        found,
        facts(
          [
            ['role', properties.roleName],
            ['id', found.name],
            ['type', properties.type ?? null],
            ['about', properties.description ?? null],
            ['permissions', properties.permissions.map((each) => JSON.stringify(each, null, 1)).join('\n')],
            ['assignable at', properties.assignableScopes.join('\n')],
          ],
          call.style,
        ),
      );
    });

  group
    .command('create')
    .description('Define a role, or change the one of the same name. In force on the next request.')
    .requiredOption('--file <file>', "Azure's JSON of the role: roleName, permissions, assignableScopes.")
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(z.object({ file: z.string() }));
      const properties = z
        .looseObject({ roleName: z.string(), assignableScopes: z.array(z.string()).min(1) })
        .parse(jsonOf(options.file, file));
      // A role that is assignable nowhere would be found nowhere either, to be changed or deleted.
      for (const scope of properties.assignableScopes) requireScopeToGiveAt(scope);
      const client = await call.client();
      const [at = '/'] = properties.assignableScopes;
      const path = `${pathOfScope(at)}/${provider}`;
      const same = await ofName(client, path, properties.roleName);
      const made = await client.json('arm', 'PUT', `${path}/${same?.name ?? randomUUID()}`, definition, {
        json: { properties: JSON.parse(JSON.stringify(properties)) as Record<string, never> },
      });
      call.result(
        made,
        facts(
          [
            [same ? 'changed' : 'defined', made.properties.roleName],
            ['id', made.name],
            ['assignable at', made.properties.assignableScopes.join('\n')],
          ],
          call.style,
        ),
      );
    });

  group
    .command('delete')
    .description('Delete a role that nobody is assigned.')
    .argument('<role>', 'Name or id of the role.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { scope } = call.options(z.object({ scope: z.string() }));
      const client = await call.client();
      const at = scopeNamed(scope, await client.discovery());
      const found = named(await armCollection(client, `${pathOfScope(at)}/${provider}`, definition), name);
      await client.done('arm', 'DELETE', `${pathOfScope(at)}/${provider}/${found.name}`);
      call.result({ deleted: found.name }, `deleted  ${found.properties.roleName}`);
    });
}

/** The one to change: a name belongs to one role, which may be assignable at other places than the file now says. */
async function ofName(
  client: Client,
  path: string,
  name: string,
): Promise<z.infer<typeof definition> | undefined> {
  for (const collection of [path, `/${provider}`]) {
    const found = (await armCollection(client, collection, definition)).find(
      ({ properties: { roleName } }) => roleName.toLowerCase() === name.toLowerCase(),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function named(definitions: readonly z.infer<typeof definition>[], name: string): z.infer<typeof definition> {
  const wanted = name.toLowerCase();
  const found = definitions.find(
    (each) => each.name.toLowerCase() === wanted || each.properties.roleName.toLowerCase() === wanted,
  );
  if (found) return found;
  throw new CliError('not-found', `There is no role \`${name}\`.`, {
    hint: '`lockstep role list --definitions` shows those of the workspace, with --scope / those of every place.',
  });
}
