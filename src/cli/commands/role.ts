import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { z } from 'zod';
import { nearestKey } from '../../config/nearest-key.ts';
import { isGuid } from '../../lib/ids.ts';
import { armCollection } from '../arm.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { CliContext } from '../context.ts';
import { principalNamed, principalNames, type Principal } from '../directory.ts';
import { guidOf } from '../guid-of.ts';
import { invocation } from '../invocation.ts';
import { facts, table } from '../output/table.ts';
import { pathOfScope, scopeHelp, scopeNamed, scopeToGiveAt, shortScope } from '../scopes.ts';
import { textOf } from '../text-of.ts';
import { addDefinition } from './role-definition.ts';

const definitionSchema = z.object({
  id: z.string(),
  name: z.string(),
  properties: z.object({
    roleName: z.string(),
    description: z.string().optional(),
    type: z.string().optional(),
  }),
});
const assignmentSchema = z.object({
  id: z.string(),
  name: z.string(),
  properties: z.object({
    scope: z.string(),
    roleDefinitionId: z.string(),
    principalId: z.string(),
    principalType: z.string().optional(),
    condition: z.string().nullish(),
  }),
});

const assignOptions = z.object({
  role: z.string(),
  assignee: z.string(),
  scope: z.string(),
  condition: z.string().optional(),
  conditionFile: z.string().optional(),
});
const listOptions = z.object({
  scope: z.string(),
  assignee: z.string().optional(),
  definitions: z.boolean(),
});

type Definition = z.infer<typeof definitionSchema>;

export function addRole(program: Command, context: CliContext): void {
  const role = program.command('role').description('Role assignments: who may do what, where.');

  role
    .command('assign')
    .description(
      'Give a role to a person, a group or an application at a scope. In force on the next request.',
    )
    .requiredOption('--role <name>', 'Name or id of the role, such as "Storage Blob Data Reader".')
    .requiredOption(
      '--assignee <who>',
      'Sign-in name, object id, application id, or the name of a group or application.',
    )
    .option('--scope <scope>', scopeHelp, 'workspace')
    .option('--condition <text>', "Condition under which it counts, in Azure's format 2.0.")
    .option('--condition-file <file>', 'The same, from a file.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(assignOptions);
      const condition = conditionIn(options);
      const client = await call.client();
      const places = await client.discovery();
      const scope = scopeToGiveAt(options.scope, places);
      const definition = await definitionNamed(client, scope, options.role);
      const assignee = await assigneeNamed(client, options.assignee);
      const path = `${pathOfScope(scope)}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
      const giving = client.json('arm', 'PUT', path, assignmentSchema, {
        json: {
          properties: {
            roleDefinitionId: definition.id,
            principalId: assignee.id,
            ...(assignee.type === null ? {} : { principalType: assignee.type }),
            ...(condition === null ? {} : { condition, conditionVersion: '2.0' }),
          },
        },
      });
      const made = await giving.catch((error: unknown) => {
        throw explained(error, shortScope(scope, places));
      });
      call.result(
        made,
        facts(
          [
            ['assigned', definition.properties.roleName],
            ['to', assignee.type === null ? assignee.id : `${assignee.displayName} (${assignee.type})`],
            ['at', shortScope(made.properties.scope, places)],
            ['assignment', made.name],
            ['where', made.properties.condition ?? null],
          ],
          call.style,
        ),
      );
    });

  role
    .command('list')
    .description('List the assignments that hold at a scope, or with --definitions the roles there are.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .option('--assignee <who>', 'Only those of one principal, through its groups too.')
    .option('--definitions', 'List roles instead of assignments.', false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(listOptions);
      const client = await call.client();
      const places = await client.discovery();
      const scope = scopeNamed(options.scope, places);
      const definitions = await definitionsAt(client, scope);
      if (options.definitions) {
        definitions.sort((a, b) => a.properties.roleName.localeCompare(b.properties.roleName, 'en'));
        const shown = table(
          definitions,
          [
            { title: 'ROLE', value: (row) => row.properties.roleName },
            { title: 'TYPE', value: (row) => (row.properties.type === 'CustomRole' ? 'custom' : null) },
            { title: 'DESCRIPTION', value: (row) => row.properties.description ?? null },
          ],
          call.style,
          call.width,
        );
        call.result(definitions, shown);
        return;
      }
      const filter =
        options.assignee === undefined
          ? 'atScope()'
          : `assignedTo('${(await principalNamed(client, options.assignee)).id}')`;
      const path = `${pathOfScope(scope)}/providers/Microsoft.Authorization/roleAssignments`;
      const assignments = await armCollection(client, path, assignmentSchema, {
        $filter: filter,
      });
      const names = await principalNames(
        client,
        assignments.map((row) => row.properties.principalId),
      );
      const roleNames = new Map(definitions.map((row) => [row.name.toLowerCase(), row.properties.roleName]));
      const shown = table(
        assignments,
        [
          {
            title: 'ROLE',
            value: (row) =>
              roleNames.get(lastSegment(row.properties.roleDefinitionId)) ??
              lastSegment(row.properties.roleDefinitionId),
          },
          {
            title: 'ASSIGNEE',
            value: (row) => names.get(row.properties.principalId) ?? row.properties.principalId,
          },
          { title: 'TYPE', value: (row) => row.properties.principalType ?? null },
          { title: 'ASSIGNMENT', value: (row) => row.name },
          { title: 'SCOPE', value: (row) => shortScope(row.properties.scope, places) },
          { title: 'CONDITION', value: (row) => (row.properties.condition ? 'yes' : null) },
        ],
        call.style,
        call.width,
      );
      if (command.getOptionValueSource('scope') === 'default') {
        call.note('These hold at the scope `workspace`; --scope names another.');
      }
      call.result(assignments, shown === '' ? `No role is assigned at ${shortScope(scope, places)}.` : shown);
    });

  addDefinition(role, context);

  role
    .command('remove')
    .description('Remove an assignment. In force on the next request; streams that depended on it are cut.')
    .argument('<assignment>', 'Id of the assignment: `lockstep role list` shows it.')
    .option('--scope <scope>', scopeHelp, 'workspace')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const id = guidOf(name);
      if (id === null && !name.startsWith('/')) {
        throw new CliError('usage', `\`${name}\` is not the id of a role assignment, nor its path.`, {
          hint: '`lockstep role list` shows the ids.',
        });
      }
      const path =
        id === null
          ? name
          : await assignmentPath(client, call.options(z.object({ scope: z.string() })).scope, id);
      await client.done('arm', 'DELETE', path);
      call.result({ removed: path }, `removed  ${path}`);
    });
}

/** An assignment that is there already, with the way on; any other error as it is. */
function explained(error: unknown, at: string): unknown {
  if (!(error instanceof CliError) || error.code !== 'RoleAssignmentExists') return error;
  return new CliError(error.ending, error.message, {
    code: error.code,
    hint: `To give it under another condition, end it first: \`lockstep role remove ID --scope ${at}\`.`,
    cause: error,
  });
}

/** Throws CliError `usage` when both are given, and when the file cannot be read. */
function conditionIn(given: {
  condition?: string | undefined;
  conditionFile?: string | undefined;
}): string | null {
  if (given.condition !== undefined && given.conditionFile !== undefined) {
    throw new CliError('usage', 'Give --condition or --condition-file, not both.');
  }
  return given.conditionFile === undefined ? (given.condition ?? null) : textOf(given.conditionFile).trim();
}

async function assignmentPath(client: Client, scopeName: string, id: string): Promise<string> {
  const scope = scopeNamed(scopeName, await client.discovery());
  const path = `${pathOfScope(scope)}/providers/Microsoft.Authorization/roleAssignments`;
  const held = await armCollection(client, path, assignmentSchema, {
    $filter: 'atScope()',
  });
  const found = held.find((row) => row.name.toLowerCase() === id.toLowerCase());
  return found === undefined ? `${path}/${id}` : pathOfScope(found.id);
}

async function definitionsAt(client: Client, scope: string): Promise<Definition[]> {
  const path = `${pathOfScope(scope)}/providers/Microsoft.Authorization/roleDefinitions`;
  return armCollection(client, path, definitionSchema);
}

/** Who may give a role need not be able to read the directory: an object id, as `explain` prints it, is enough. */
async function assigneeNamed(
  client: Client,
  name: string,
): Promise<Principal | { readonly id: string; readonly type: null }> {
  try {
    return await principalNamed(client, name);
  } catch (error) {
    if (!(error instanceof CliError) || error.ending !== 'denied') throw error;
    if (isGuid(name)) return { id: name, type: null };
    throw new CliError('denied', `You may not look \`${name}\` up in the directory. ${error.message}`, {
      ...(error.code === null ? {} : { code: error.code }),
      ...(error.decisionId === null ? {} : { decisionId: error.decisionId }),
      facts: error.facts,
      hint: 'Name them by object id (`lockstep whoami` tells everyone their own), or ask for the role Lockstep Auditor at `directory`.',
      cause: error,
    });
  }
}

async function definitionNamed(client: Client, scope: string, name: string): Promise<Definition> {
  const definitions = await definitionsAt(client, scope);
  const wanted = name.toLowerCase();
  const found = definitions.find(
    (row) =>
      row.properties.roleName.toLowerCase() === wanted ||
      row.name.toLowerCase() === wanted ||
      row.id.toLowerCase() === wanted,
  );
  if (found) return found;
  const names = definitions.map((row) => row.properties.roleName);
  const near = nearestKey(name, names) ?? names.find((each) => each.toLowerCase().includes(wanted)) ?? null;
  throw new CliError('not-found', `There is no role \`${name}\`.`, {
    hint:
      near === null
        ? '`lockstep role list --definitions` shows those that may be given at the workspace, with --scope / those of every place. A role of yours may be given where its assignableScopes say.'
        : `Did you mean \`${near}\`?`,
  });
}

function lastSegment(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1).toLowerCase();
}
