import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../context.ts';
import { invocation } from '../invocation.ts';
import { count, moment } from '../output/amounts.ts';
import { facts } from '../output/table.ts';

const statusSchema = z.object({
  ledger: z.object({
    witnessed: z
      .object({
        quorum: z.enum(['met', 'not-met']),
        since: z.string().optional(),
        size: z.number(),
        behind: z.number(),
        witnesses: z.array(
          z.object({
            name: z.string(),
            size: z.number(),
            cosignedAt: z.string().nullable(),
            problem: z.string().nullable(),
          }),
        ),
      })
      .nullable(),
  }),
});

export function addWitnesses(ledger: Command, context: CliContext): void {
  ledger
    .command('witnesses')
    .description('How far the witnesses of the log have cosigned it, and which of them do not.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const client = await call.client();
      const { witnessed } = (await client.json('admin', 'GET', '/admin/v1/status', statusSchema)).ledger;
      if (witnessed === null) {
        call.result(null, 'The log has no witnesses: `ledger.witnessPolicy` names none.');
        return;
      }
      const { style } = call;
      const { quorum, since, size, behind, witnesses } = witnessed;
      const met =
        quorum === 'met' ? style.good('met') : style.bad(`not met since ${moment(Date.parse(since ?? ''))}`);
      call.result(
        witnessed,
        facts(
          [
            ['quorum', met],
            ['cosigned', count(size, 'entry', 'entries')],
            ['not yet', count(behind, 'entry', 'entries')],
            ...witnesses.map((witness): readonly [string, string] => [
              witness.name,
              witness.problem === null
                ? `${count(witness.size, 'entry', 'entries')}, ${witness.cosignedAt === null ? 'not asked yet' : moment(Date.parse(witness.cosignedAt))}`
                : style.bad(witness.problem),
            ]),
          ],
          style,
        ),
      );
    });
}
