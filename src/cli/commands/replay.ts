import type { Replayed } from '../../policy/replay.ts';
import { replayLog } from '../../reports/replay-log.ts';
import { CliError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { keyOf, sourceOf } from '../log-source.ts';
import { count, duration } from '../output/amounts.ts';
import { facts } from '../output/table.ts';

export interface ReplayRequest {
  readonly source: string | undefined;
  readonly key: string | null;
  /** Decision or event ids; null for all. */
  readonly only: readonly string[] | null;
}

interface Told {
  readonly decision: string;
  readonly event: string;
  readonly revision: number;
  readonly result: Replayed['kind'];
  readonly recorded: Replayed['decision']['outcome'];
  readonly again: Replayed['decision']['outcome'] | null;
  readonly why: string | null;
}

const shownAtMost = 100;

/**
 * Replays a log and shows what came of it. Throws CliError `not-verified` when the log does not verify or a decision
 * comes out otherwise, `not-found` when a decision that was named is not in the log.
 */
export async function replay(call: Invocation, request: ReplayRequest): Promise<void> {
  const { log, where, serverKey } = await sourceOf(call, request.source);
  const verifierKey = request.key === null ? await serverKey() : keyOf(request.key);
  const started = Date.now();
  const bar = call.progress('replaying', (n) => count(n, 'entry', 'entries'));
  const counts = { same: 0, differs: 0, 'not-by-policy': 0, 'cannot-be-told': 0 };
  const notable: Told[] = [];
  const verdict = await replayLog(log, verifierKey, {
    ...(request.only === null ? {} : { only: new Set(request.only) }),
    onReplayed: (replayed, event) => {
      counts[replayed.kind]++;
      const isNotable =
        request.only !== null || replayed.kind === 'differs' || replayed.kind === 'cannot-be-told';
      if (isNotable && notable.length < shownAtMost) notable.push(told(replayed, event));
    },
    onProgress: (checked, size) => bar.at(checked, size),
    signal: call.context.signal,
  });
  bar.clear();
  if (!verdict.ok)
    throw new CliError('not-verified', `The log at ${where} does not verify: ${verdict.reason}.`);
  for (const id of request.only ?? []) {
    if (!notable.some(({ decision, event }) => decision === id || event === id)) {
      throw new CliError('not-found', `The log at ${where} holds no decision ${id}.`);
    }
  }
  const { style } = call;
  const summary = facts(
    [
      ['log', `${verdict.origin}, ${count(verdict.size, 'entry', 'entries')}, verified`],
      ['decided the same again', String(counts.same)],
      ['decided otherwise', counts.differs === 0 ? '0' : style.bad(String(counts.differs))],
      ['cannot be told', String(counts['cannot-be-told'])],
      ['by rules of Lockstep’s own', String(counts['not-by-policy'])],
      ['took', duration(Date.now() - started)],
    ],
    style,
  );
  call.result(
    { origin: verdict.origin, size: verdict.size, ...counts, decisions: notable },
    [...notable.map(sentence), summary].join('\n'),
  );
  if (counts.differs > 0) {
    throw new CliError(
      'not-verified',
      `${count(counts.differs, 'decision')} would be made otherwise by the recorded policy.`,
    );
  }
}

function told(replayed: Replayed, event: string): Told {
  const { decision, kind } = replayed;
  return {
    decision: decision.id,
    event,
    revision: decision.revision,
    result: kind,
    recorded: decision.outcome,
    again: kind === 'same' ? decision.outcome : kind === 'differs' ? replayed.again : null,
    why: kind === 'cannot-be-told' ? replayed.why : null,
  };
}

function sentence({ decision, revision, result, recorded, again, why }: Told): string {
  const was = `${decision}, at revision ${revision}: ${outcome(recorded)}`;
  switch (result) {
    case 'same':
      return `${was}; the policy of that revision says the same again.`;
    case 'differs':
      return `${was}; but the policy of that revision says ${again === null ? 'otherwise' : outcome(again)}.`;
    case 'not-by-policy':
      return `${was}; policy was not asked.`;
    case 'cannot-be-told':
      return `${was}; it cannot be made again: ${why ?? ''}.`;
  }
}

function outcome({ allowed, policyId }: Replayed['decision']['outcome']): string {
  return `${allowed ? 'allowed' : 'denied'} by ${policyId}`;
}
