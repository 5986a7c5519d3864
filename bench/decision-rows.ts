import type { BatchFigures } from './decision-batch.ts';
import type { ConditionFigures } from './decision-conditions.ts';
import type { Edit, EditFigures } from './decision-edits.ts';
import type { ExplainedFigures } from './decision-explained.ts';
import type { InterfaceFigures } from './decision-interfaces.ts';
import type { MemoryFigures } from './decision-memory.ts';
import type { PeerFigures } from './decision-peer.ts';
import { sizes, type SizeName } from './decision-workload.ts';
import { spreadOf, type Repeated } from './measure.ts';
import type { BenchRow } from './row.ts';

const perSecond = 'decisions per core second';
const uniform = 'integers, uniform';

export function interfaces(size: SizeName, own: InterfaceFigures): BenchRow[] {
  const tail = own.p99.median / own.p50.median;
  const way = (
    name: string,
    figure: Repeated,
    target: number | null,
    ratio: Repeated | number = figure.median / own.integers.median,
  ): BenchRow =>
    compared(
      row(`${size}: ${name}`, figure, perSecond),
      { name: uniform, value: own.integers.median },
      ratio,
      target,
    );
  return [
    row(`${size}: ${uniform} (${Math.round(own.allowed * 100)} % allowed)`, own.integers, perSecond),
    row(`${size}: integers, p50`, own.p50, 'ns'),
    {
      ...row(`${size}: integers, p99`, own.p99, 'ns'),
      peer: 'p50',
      peerValue: own.p50.median,
      ratio: tail,
      target: '≤ 4 × p50',
      met: tail <= 4,
    },
    way('principal and action as handles, the scope a new string', own.handles, 0.4, own.handlesToIntegers),
    way('three new strings', own.strings, 0.25, own.stringsToIntegers),
    row(`${size}: three new strings, p50`, own.stringsP50, 'ns'),
    row(`${size}: three new strings, p99`, own.stringsP99, 'ns'),
    way('integers, a few users ask most', own.skewed, null),
    way('integers, 20,000 questions repeat', own.repeat, null),
    value(`${size}: compiled rights of all users`, own.compiledBytes / 1e6, 'MB'),
  ];
}

export function scaling(hundredThousand: InterfaceFigures, million: InterfaceFigures): BenchRow {
  return compared(
    row(`1M against 100k: ${uniform}`, million.integers, perSecond),
    { name: 'the same at 100k', value: hundredThousand.integers.median },
    million.integers.median / hundredThousand.integers.median,
    0.3,
  );
}

export function memory(size: SizeName, { baseBytes, askedBytes, buildSeconds }: MemoryFigures): BenchRow[] {
  const perMillion = (bytes: number): number => bytes / sizes[size].assignments;
  return [
    limited(
      value(`${size}: index over the rows, per million assignments`, perMillion(baseBytes), 'MB'),
      size === '1M' ? 150 : null,
    ),
    value(`${size}: the same once every user has asked`, perMillion(askedBytes), 'MB'),
    value(`${size}: building it`, buildSeconds, 's'),
  ];
}

export function edits(size: SizeName, { user, leaf, top }: EditFigures): BenchRow[] {
  const both = (name: string, { p50, p99 }: Edit, limit: number | null): BenchRow[] => [
    limited(value(`${size}: ${name}, and the first decision, p50`, p50 / 1_000, 'µs'), limit),
    value(`${size}: ${name}, and the first decision, p99`, p99 / 1_000, 'µs'),
  ];
  return [
    ...both('a user joins or leaves a group', user, 10),
    ...both('a leaf group is nested or taken out', leaf, null),
    ...both('a top group is nested or taken out', top, 1_000),
  ];
}

export function conditions(figures: ConditionFigures): BenchRow[] {
  const against = (name: string, gated: Repeated, plain: Repeated, ratio: Repeated): BenchRow =>
    atMost(
      row(`100k: decided by a conditional assignment, ${name}`, gated, 'ns'),
      { name: 'the same assignment without the condition', value: plain.median },
      1.5,
      ratio,
    );
  return [
    against('integers', figures.gatedIntegers, figures.plainIntegers, figures.integersRatio),
    against('three new strings', figures.gatedStrings, figures.plainStrings, figures.stringsRatio),
  ];
}

export function explained(figures: ExplainedFigures): BenchRow[] {
  const { integers, named, verdictAllowed, verdictDenied, explainedAllowed, explainedDenied } = figures;
  const verdict = (of: Repeated) => ({ name: 'decide, strings', value: of.median });
  return [
    atMost(
      row('100k: with the id of the deciding policy', named, 'ns'),
      { name: 'integers', value: integers.median },
      5,
      figures.namedToIntegers,
    ),
    atMost(
      row('100k: explain, allowed', explainedAllowed, 'ns'),
      verdict(verdictAllowed),
      5,
      figures.allowedToVerdict,
    ),
    atMost(
      row('100k: explain, denied: what is missing, who can give it', explainedDenied, 'ns'),
      verdict(verdictDenied),
      null,
      figures.deniedToVerdict,
    ),
  ];
}

/**
 * The figure with a target: the peer's people at the peer's scopes, no question twice on our side. Then its very
 * questions over and over on both sides; and, if that was measured too, uniform traffic of the whole tenant, of which
 * the peer has only a part in memory.
 */
export function peer(figures: PeerFigures, own: InterfaceFigures | null, target: number | null): BenchRow[] {
  const { name, perSecond: theirs, ownFresh, ownSame, freshRatio, sameRatio, questions, users } = figures;
  const other = { name: `${name}: ${spreadOf(theirs)}`, value: theirs.median };
  const against = (
    what: string,
    figure: Repeated,
    limit: number | null,
    ratio: Repeated | number,
  ): BenchRow => compared(row(`100k: ${what}`, figure, perSecond), other, ratio, limit);
  const whose = `of the same ${users.toLocaleString('en-US')} users`;
  return [
    against(`integers, uniform, ${whose}`, ownFresh, target, freshRatio),
    against(
      `integers, the same ${questions.toLocaleString('en-US')} questions over and over`,
      ownSame,
      null,
      sameRatio,
    ),
    ...(own
      ? [against(`${uniform}, of all users`, own.integers, null, own.integers.median / other.value)]
      : []),
  ];
}

export function batch({ single, batch: many, batchSize }: BatchFigures): BenchRow {
  return compared(
    row(`checkAccess over HTTPS, ${batchSize} actions a call`, many, 'decisions/s'),
    { name: 'one action a call', value: single.median },
    many.median / single.median,
    20,
  );
}

interface Other {
  readonly name: string;
  readonly value: number;
}

function row(name: string, figure: Repeated, unit: string): BenchRow {
  return { ...value(name, figure.median, unit), spread: spreadOf(figure) };
}

function value(name: string, of: number, unit: string): BenchRow {
  return { name, value: of, unit, peer: null, peerValue: null, ratio: null, target: null, met: null };
}

function compared(given: BenchRow, other: Other, ratios: Repeated | number, target: number | null): BenchRow {
  const ratio = typeof ratios === 'number' ? ratios : ratios.median;
  return {
    ...given,
    peer: other.name,
    peerValue: other.value,
    ratio,
    ...(typeof ratios === 'number' ? {} : { ratioSpread: spreadOf(ratios) }),
    target: target === null ? null : `≥ ${target.toLocaleString('en-US')} ×`,
    met: target === null ? null : ratio >= target,
  };
}

/** Times: the ratio is how many times as long it takes. */
function atMost(given: BenchRow, other: Other, target: number | null, ratios: Repeated): BenchRow {
  const ratio = ratios.median;
  return {
    ...compared(given, other, ratios, null),
    target: target === null ? null : `≤ ${target} ×`,
    met: target === null ? null : ratio <= target,
  };
}

function limited(given: BenchRow, limit: number | null): BenchRow {
  if (limit === null) return given;
  return { ...given, target: `≤ ${limit.toLocaleString('en-US')} ${given.unit}`, met: given.value <= limit };
}
