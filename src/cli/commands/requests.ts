import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { plain } from '../output/style.ts';

const requestSchema = z.object({
  id: z.string(),
  state: z.enum(['open', 'met']),
  principal: z.object({ id: z.string(), displayName: z.string() }),
  role: z.object({ id: z.string(), name: z.string() }),
  scope: z.string(),
  action: z.string(),
  decisionId: z.string(),
  reason: z.string(),
  requestedAt: z.string(),
  expiresAt: z.string(),
  commands: z.object({ lockstep: z.string(), az: z.string() }).nullable(),
});
type AccessRequest = z.infer<typeof requestSchema>;

const path = '/admin/v1/access-requests';

export function addRequests(program: Command, context: CliContext): void {
  const requests = program.command('requests').description('What people ask for who were refused.');

  requests
    .command('list', { isDefault: true })
    .description('List your own requests, and those that you could grant with the command that does.')
    .option('--mine', 'Your own only.', false)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { mine } = call.options(z.object({ mine: z.boolean() }));
      const client = await call.client();
      const schema = z.object({ value: z.array(requestSchema) });
      const query = mine ? { mine: 'true' } : {};
      const { value } = await client.json('admin', 'GET', path, schema, { query });
      const shown = value.map((request) => told(call, request)).join('\n\n');
      call.result(value, shown === '' ? 'No open request.' : shown);
    });

  requests
    .command('ask')
    .description('Ask for the role that a decision found missing. Whoever can grant it sees that you do.')
    .argument('<decision>', 'Id of the decision that refused you, as the error tells it.')
    .requiredOption('--reason <text>', 'Why you need it: at most 500 characters.')
    .action(async (decision: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { reason } = call.options(z.object({ reason: z.string() }));
      const client = await call.client();
      const request = await client.json('admin', 'POST', path, requestSchema, { json: { decision, reason } });
      call.result(request, told(call, request));
    });
}

function told({ style }: Invocation, request: AccessRequest): string {
  const { id, principal, role, scope, action, decisionId, reason, commands } = request;
  const met = request.state === 'met' ? style.good('  may by now') : '';
  const lines = [
    `${id}  ${style.bold(plain(principal.displayName))} asks for ${style.bold(plain(role.name))}${met}`,
    `  at     ${plain(scope)}`,
    `  for    ${plain(action)}  ${style.dim(`(lockstep explain ${decisionId})`)}`,
    // Their own words stay behind a bar: no line of them passes for one of ours.
    ...reason.split('\n').map((line, i) => `  ${i === 0 ? 'why' : '   '}    | ${plain(line)}`),
    `  since  ${moment(request.requestedAt)}, until ${moment(request.expiresAt)}`,
  ];
  if (commands !== null) lines.push(`  grant  ${plain(commands.lockstep)}`, `         ${plain(commands.az)}`);
  return lines.join('\n');
}
