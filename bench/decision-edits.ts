import type { PrincipalId } from '../src/lib/ids.ts';
import type { Change } from '../src/store/changes.ts';
import { handlesOf, settle } from './decision-interfaces.ts';
import type { OwnEngine } from './decision-own.ts';
import { uniformStream } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';
import { latencies, quantile } from './measure.ts';

/** Nanoseconds of one change and the first decision after it, of somebody whom it concerns. */
export interface EditFigures {
  readonly user: Edit;
  /** A leaf group is put into, or taken out of, a middle group. */
  readonly leaf: Edit;
  /** A top group, with all who are in it, is put into, or taken out of, another. */
  readonly top: Edit;
}

export interface Edit {
  readonly p50: number;
  readonly p99: number;
}

/** Each edit is made and then undone; in the end every decision is what it was before, or nothing is reported. */
export function measureEdits(workload: Workload, engine: OwnEngine): EditFigures {
  const { users, groups } = workload;
  settle(workload, engine);
  const stream = handlesOf(workload, engine)(uniformStream(workload, 20_000));
  const outcomes = (): Int32Array =>
    Int32Array.from({ length: stream.length }, (_, i) =>
      engine.decideHandles(stream.users[i]!, stream.actions[i]!, stream.scopes[i]!),
    );
  const before = outcomes();

  let sequence = engine.snapshot.version;
  const below = membersBelow(workload);
  const time = (
    count: number,
    pairs: (i: number) => readonly [member: PrincipalId, group: PrincipalId],
  ): Edit => {
    const edits = Array.from({ length: count }, (_, i) => {
      const [member, group] = pairs(i >> 1);
      const kind = i % 2 === 0 ? 'group.member-added' : 'group.member-removed';
      return {
        change: { kind, group, member } satisfies Change,
        asker: engine.principalHandle(below(member)),
      };
    });
    const run = (i: number): void => {
      const { change, asker } = edits[i]!;
      engine.snapshot.apply({ previous: sequence, sequence: ++sequence, change });
      engine.decideHandles(asker, stream.actions[i]!, stream.scopes[i]!);
    };
    for (let i = 0; i < Math.min(count, 400); i++) run(i);
    const times = latencies(count, run);
    return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  };
  const inGroups = new Set(workload.rows.memberships.map(({ group, member }) => `${group} ${member}`));
  const another = (member: PrincipalId, among: readonly PrincipalId[], from: number): PrincipalId => {
    for (let i = from; ; i++) {
      const group = among[i % among.length]!;
      if (group !== member && !inGroups.has(`${group} ${member}`)) return group;
    }
  };
  const figures = {
    user: time(4_000, (i) => {
      const user = users[(i * 7) % users.length]!;
      return [user, another(user, groups.leaves, i)];
    }),
    leaf: time(2_000, (i) => {
      const leaf = groups.leaves[i % groups.leaves.length]!;
      return [leaf, another(leaf, groups.middle, i)];
    }),
    top: time(1_000, (i) => {
      const top = groups.top[i % groups.top.length]!;
      return [top, another(top, groups.top, i + 1)];
    }),
  };
  if (engine.snapshot.fault !== null) throw new Error('an edit failed', { cause: engine.snapshot.fault });
  const changed = outcomes().filter((outcome, i) => outcome !== before[i]).length;
  if (changed > 0) throw new Error(`${changed} decisions are not what they were before the edits`);
  return figures;
}

/** Somebody in this group or a group in it; the user itself. */
function membersBelow({ rows }: Workload): (member: PrincipalId) => PrincipalId {
  const members = new Map(rows.memberships.map(({ group, member }) => [group, member]));
  return (member) => {
    let found = member;
    for (let inside = members.get(found); inside !== undefined; inside = members.get(found)) found = inside;
    return found;
  };
}
