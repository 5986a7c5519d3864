import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';
import { shortScope } from '../scopes.ts';

const actor = z.object({ kind: z.string(), id: z.string(), name: z.string() });

const meSchema = z.object({
  tenantId: z.string(),
  principal: z.object({
    id: z.string(),
    kind: z.string(),
    name: z.string(),
    signInName: z.string().nullable(),
  }),
  chain: z.array(actor),
  credential: z.object({ kind: z.string(), sessionId: z.string().nullable(), expiresAt: z.string() }),
  groups: z.array(z.object({ id: z.string(), displayName: z.string() })),
  roleAssignments: z.array(
    z.object({
      id: z.string(),
      roleName: z.string(),
      scope: z.string(),
      through: z.object({ id: z.string(), kind: z.string(), displayName: z.string() }),
    }),
  ),
});

export function addWhoami(program: Command, context: CliContext): void {
  program
    .command('whoami')
    .description('Who you are to the server: your chain, your groups, your roles.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const me = await client.json('admin', 'GET', '/admin/v1/me', meSchema);
      const places = await client.discovery();
      const { style } = call;
      const { principal, chain, groups } = me;
      const head = facts(
        [
          ['you', `${principal.name} (${principal.kind})`],
          ['object id', principal.id],
          ['sign-in name', principal.signInName === principal.name ? null : principal.signInName],
          ['tenant', me.tenantId],
          ['server', client.server],
          ['chain', chain.length > 1 ? chain.map((link) => `${link.name} (${link.kind})`).join(' → ') : null],
          ['groups', groups.length === 0 ? 'none' : groups.map((group) => group.displayName).join(', ')],
          ['token until', moment(me.credential.expiresAt)],
        ],
        style,
      );
      const roles = table(
        me.roleAssignments,
        [
          { title: 'ROLE', value: (row) => row.roleName },
          {
            title: 'THROUGH',
            value: (row) => (row.through.id === principal.id ? 'directly' : row.through.displayName),
          },
          { title: 'SCOPE', value: (row) => shortScope(row.scope, places) },
        ],
        style,
        call.width,
      );
      call.result(me, `${head}\n\n${roles === '' ? 'No role is assigned to you.' : roles}`);
    });
}
