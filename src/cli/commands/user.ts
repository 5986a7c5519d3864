import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { collection, userNamed, userSchema } from '../directory.ts';
import { invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';

const createSchema = z.object({
  name: z.string().optional(),
  passwordStdin: z.boolean(),
  password: z.boolean(),
});
const linkSchema = z.object({ url: z.string(), expiresAt: z.string() });

export function addUser(program: Command, context: CliContext): void {
  const user = program.command('user').description('People of the directory.');

  user
    .command('create')
    .description(
      'Create a person. Without a password they sign in with one-time links: `lockstep user link`.',
    )
    .argument('<sign-in-name>', 'User principal name, such as ada@example.org.')
    .option('--name <text>', 'Display name. Default: what stands before the @.')
    .option('--password-stdin', 'Read the password from standard input.', false)
    .option('--no-password', 'Ask for none.')
    .action(async (signInName: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(createSchema);
      const client = await call.client();
      const password = await passwordFor(context, options);
      const created = await client.json('directory', 'POST', '/v1.0/users', userSchema, {
        json: {
          accountEnabled: true,
          displayName: options.name ?? signInName.split('@')[0],
          userPrincipalName: signInName,
          mailNickname: signInName.split('@')[0],
          ...(password === null
            ? {}
            : { passwordProfile: { password, forceChangePasswordNextSignIn: false } }),
        },
      });
      const next =
        password === null
          ? `lockstep user link ${signInName}`
          : `lockstep role assign --assignee ${signInName} --role …`;
      call.result(
        created,
        facts(
          [
            ['created', created.userPrincipalName],
            ['object id', created.id],
            ['next', next],
          ],
          call.style,
        ),
      );
    });

  user
    .command('list')
    .description('List people.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const users = await collection(await call.client(), '/v1.0/users', userSchema);
      call.result(
        users,
        table(
          users,
          [
            { title: 'SIGN-IN NAME', value: (row) => row.userPrincipalName },
            { title: 'NAME', value: (row) => row.displayName },
            { title: 'STATE', value: (row) => (row.accountEnabled ? 'enabled' : 'disabled') },
            { title: 'OBJECT ID', value: (row) => row.id },
          ],
          call.style,
          call.width,
        ),
      );
    });

  for (const [verb, enabled, description] of [
    [
      'disable',
      false,
      'Disable a person: refused on the next request, their streams and jobs’ identities cut within a second.',
    ],
    ['enable', true, 'Enable a disabled person again.'],
  ] as const) {
    user
      .command(verb)
      .description(description)
      .argument('<user>', 'Sign-in name or object id.')
      .action(async (name: string, _options: unknown, command: Command) => {
        const call = invocation(context, command);
        const client = await call.client();
        const found = await userNamed(client, name);
        await client.done('directory', 'PATCH', `/v1.0/users/${found.id}`, {
          json: { accountEnabled: enabled },
        });
        call.result({ ...found, accountEnabled: enabled }, `${verb}d  ${found.userPrincipalName}`);
      });
  }

  user
    .command('delete')
    .description(
      'Delete a person for ever: sign-ins and memberships end, role assignments are left, naming nobody. What the log holds of them stays, until `lockstep ledger erase`.',
    )
    .argument('<user>', 'Sign-in name or object id.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const { id, userPrincipalName } = await userNamed(client, name);
      await client.done('directory', 'DELETE', `/v1.0/users/${id}`);
      call.result(
        { deleted: id },
        facts(
          [
            ['deleted', userPrincipalName],
            ['object id', id],
          ],
          call.style,
        ),
      );
    });

  user
    .command('link')
    .description('Make a one-time sign-in link for a person. Whoever has it can sign in as them, once.')
    .argument('<user>', 'Sign-in name or object id.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const found = await userNamed(client, name);
      const link = await client.json('admin', 'POST', `/admin/v1/users/${found.id}/sign-in-link`, linkSchema);
      call.result(
        link,
        facts(
          [
            ['link', link.url],
            ['valid until', moment(link.expiresAt)],
          ],
          call.style,
        ),
      );
    });
}

async function passwordFor(
  context: CliContext,
  { passwordStdin, password }: { passwordStdin: boolean; password: boolean },
): Promise<string | null> {
  if (!password) return null;
  if (passwordStdin) {
    const given = (await readAll(context.stdin)).replace(/\r?\n$/, '');
    if (given === '') throw new CliError('usage', '--password-stdin: nothing came from standard input.');
    return given;
  }
  if (!context.terminal.interactive) return null;
  const { isCancel, password: ask } = await import('@clack/prompts');
  // Ctrl-D closes the prompt without an answer; nothing is left to wait for then.
  const closed = new AbortController();
  const onClose = () => closed.abort();
  process.once('beforeExit', onClose);
  const message = 'Password for the new person (empty for none)';
  const answer = await ask({ message, signal: closed.signal });
  process.off('beforeExit', onClose);
  if (isCancel(answer)) throw new CliError('failure', 'Canceled; nothing was created.');
  return answer === '' || answer === undefined ? null : answer;
}
