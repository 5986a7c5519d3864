import { parseEntry, type DecisionFacts } from '../ledger/recorded-entry.ts';
import type { TileSource } from '../ledger/verify/tile-source.ts';
import { verifyLog, type LogVerdict } from '../ledger/verify/verify-log.ts';
import type { PrincipalId } from '../lib/ids.ts';
import { PolicyReplay, type RecordedDecision, type Replayed } from '../policy/replay.ts';

export interface ReplayOptions {
  /** Only these decisions, by decision or event id; absent: every one. */
  readonly only?: ReadonlySet<string>;
  /** Told of each decision once, in no particular order; what it tells counts only if the log verifies. */
  readonly onReplayed: (replayed: Replayed, eventId: string) => void;
  readonly onProgress?: (checked: number, size: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Makes the decisions of a log again, each at the revision that it was made at, from the log alone, and checks the log
 * against its key in the same pass. A second pass is made only for decisions that were recorded much later than made.
 * Throws for an entry that is not in the form of this version, and as `verifyLog` does.
 */
export async function replayLog(
  source: TileSource,
  verifierKey: string,
  options: ReplayOptions,
): Promise<LogVerdict> {
  const { only } = options;
  const events = new Map<string, string>();
  const tell = (replayed: Replayed): void => {
    const eventId = events.get(replayed.decision.id) ?? replayed.decision.id;
    options.onReplayed(replayed, eventId);
    events.delete(replayed.decision.id);
  };
  const wanted = ({ decisionId, eventId }: DecisionFacts): boolean =>
    only === undefined || only.has(decisionId) || only.has(eventId);

  const pass = async (replay: PolicyReplay, takeDecisions: boolean): Promise<LogVerdict> => {
    let previous = 0;
    const verdict = await verifyLog(source, verifierKey, {
      ...options,
      whole: true,
      onEntry: (bytes, index) => {
        const entry = parseEntry(bytes);
        if (entry.kind === 'change') {
          // Before changes said so themselves, an entry's place in the tree was one less than its sequence.
          const position = entry.position ?? { sequence: index + 1, previous };
          replay.change({ ...position, change: entry.change, whole: entry.whole });
          previous = position.sequence;
        } else if (takeDecisions && entry.kind === 'decision' && wanted(entry.facts)) {
          events.set(entry.facts.decisionId, entry.facts.eventId);
          replay.decision(decisionOf(entry.facts));
        }
      },
    });
    replay.end();
    return verdict;
  };

  const first = new PolicyReplay(tell);
  const verdict = await pass(first, true);
  if (!verdict.ok || first.late.length === 0) return verdict;
  const second = new PolicyReplay(tell);
  for (const decision of first.late) second.decision(decision);
  return pass(second, false);
}

function decisionOf(facts: DecisionFacts): RecordedDecision {
  const { action, dataAction, scope, subOperation, subtree, attributes } = facts;
  const { allowed, reason, policyId, decidedFor } = facts;
  return {
    id: facts.decisionId,
    revision: facts.snapshotVersion,
    authorities: facts.authorities as readonly PrincipalId[],
    access: {
      action,
      dataAction,
      scope,
      attributes,
      ...(subOperation === undefined ? {} : { subOperation }),
      ...(subtree === undefined ? {} : { subtree }),
    },
    whole: facts.whole,
    outcome: { allowed, reason, policyId, decidedFor: decidedFor as PrincipalId | null },
  };
}
