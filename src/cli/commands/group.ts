import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { collection, groupNamed, groupSchema, principalNamed, typeOf } from '../directory.ts';
import { invocation } from '../invocation.ts';
import { facts, table } from '../output/table.ts';

const memberSchema = z.object({
  '@odata.type': z.string(),
  id: z.string(),
  displayName: z.string(),
  userPrincipalName: z.string().optional(),
});
const membersSchema = z.object({ transitive: z.boolean() });

export function addGroup(program: Command, context: CliContext): void {
  const group = program.command('group').description('Groups of the directory; groups may hold groups.');

  group
    .command('create')
    .description('Create a group.')
    .argument('<name>', 'Display name.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const created = await client.json('directory', 'POST', '/v1.0/groups', groupSchema, {
        json: { displayName: name, mailEnabled: false, mailNickname: nickname(name), securityEnabled: true },
      });
      call.result(
        created,
        facts(
          [
            ['created', created.displayName],
            ['object id', created.id],
          ],
          call.style,
        ),
      );
    });

  group
    .command('list')
    .description('List groups, or with a name the members of one.')
    .argument('[group]', 'Display name or object id.')
    .option('--transitive', 'Members of its groups too.', false)
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { transitive } = call.options(membersSchema);
      const client = await call.client();
      if (name === undefined) {
        const groups = await collection(client, '/v1.0/groups', groupSchema);
        const shown = table(
          groups,
          [
            { title: 'GROUP', value: (row) => row.displayName },
            { title: 'OBJECT ID', value: (row) => row.id },
          ],
          call.style,
          call.width,
        );
        call.result(groups, shown);
        return;
      }
      const found = await groupNamed(client, name);
      const which = transitive ? 'transitiveMembers' : 'members';
      const members = await collection(client, `/v1.0/groups/${found.id}/${which}`, memberSchema);
      const shown = table(
        members,
        [
          { title: 'MEMBER', value: (row) => row.userPrincipalName ?? row.displayName },
          { title: 'TYPE', value: (row) => typeOf(row['@odata.type']) },
          { title: 'OBJECT ID', value: (row) => row.id },
        ],
        call.style,
        call.width,
      );
      call.result(members, shown === '' ? `${found.displayName} has no members.` : shown);
    });

  group
    .command('add')
    .description('Add a member: a person, an application or another group.')
    .argument('<group>', 'Display name or object id.')
    .argument('<member>', 'Sign-in name, object id, application id, or the name of a group or application.')
    .action(async (name: string, memberName: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const found = await groupNamed(client, name);
      const member = await principalNamed(client, memberName);
      await client.done('directory', 'POST', `/v1.0/groups/${found.id}/members/$ref`, {
        json: { '@odata.id': `${client.server}/v1.0/directoryObjects/${member.id}` },
      });
      call.result({ group: found, member }, `added  ${member.displayName} to ${found.displayName}`);
    });

  group
    .command('remove')
    .description('Remove a member; what they had through the group ends at once.')
    .argument('<group>', 'Display name or object id.')
    .argument('<member>', 'Sign-in name, object id, application id, or the name of a group or application.')
    .action(async (name: string, memberName: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const found = await groupNamed(client, name);
      const member = await principalNamed(client, memberName);
      await client.done('directory', 'DELETE', `/v1.0/groups/${found.id}/members/${member.id}/$ref`);
      call.result({ group: found, member }, `removed  ${member.displayName} from ${found.displayName}`);
    });
}

function nickname(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '') || 'group';
}
