// Writes docs/reference/events.md from the catalogue and a sample of every event; --check compares.
import { entryOf, type Entry } from '../src/ledger/catalogue/entry.ts';
import { eventKinds, everyEvent, type EventCode } from '../src/ledger/catalogue/kinds.ts';
import { inOcsf19 } from '../src/ledger/catalogue/ocsf-1-9.ts';
import type { Fact } from '../src/ledger/events.ts';
import { attribution, decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import { sampleChanges, sampleRequestFacts, sampleVariants } from '../src/ledger/testing/sample-facts.ts';
import { toldOf } from '../src/ledger/testing/told.ts';
import type { EventId, SessionId } from '../src/lib/ids.ts';
import { writeOrCheck } from './write-or-check.ts';

type Members = Readonly<Record<string, unknown>>;

const origin = 'lockstep.local/11111111-1111-4111-8111-111111111111';
const time = Date.UTC(2026, 1, 2, 3, 4, 5);
const by = attribution({
  correlationId: '0a0a0a0a-1111-4222-8333-444444444444',
  sessionId: 'ses_01h455vb4pex5vsknk084sn02q' as SessionId,
});

const facts: readonly Fact[] = [
  ...sampleRequestFacts,
  ...[...Object.values(sampleChanges), ...sampleVariants].map((change): Fact => ({
    kind: 'change',
    attribution: by,
    change,
  })),
];
const samples = Map.groupBy(facts, (fact): EventCode =>
  fact.kind === 'change' ? fact.change.kind : fact.kind,
);

/** What every event has: told once, at the top of the page. */
const everywhere = new Set([
  'actor',
  'activity_id',
  'activity_name',
  'category_uid',
  'class_name',
  'class_uid',
  'metadata',
  'severity_id',
  'src_endpoint',
  'status_id',
  'time',
  'type_uid',
]);
const ownEverywhere = new Set([
  'chain',
  'correlationId',
  'decisionId',
  'kind',
  'leaseId',
  'policyId',
  'previousChange',
  'requestId',
  'sequence',
  'sessionId',
  'snapshotVersion',
  'sourceAddress',
  'tokenId',
]);

/** Said once, too. */
const boundEverywhere = /^\/(?:unmapped\/lockstep\/(?:chain\/|sourceAddress)|actor\/|src_endpoint\/ip)/;

const codes = [...samples.keys()];
const sections = codes.map(section);
await writeOrCheck(
  'docs/reference/events.md',
  [
    '# Events',
    '',
    'Everything that happens is one event in the ledger: an [OCSF](https://schema.ocsf.io/1.8.0/) record in canonical JSON, which is',
    'at the same time the entry in the log. `lockstep ledger search` and `lockstep ledger tail` show them, `GET /admin/v1/events` answers them',
    'as lines of JSON. What OCSF has no attribute for is in `unmapped.lockstep`.',
    '',
    'The log is written in OCSF 1.8. With `ledger.ocsf: "1.9"` in the configuration the same entries are *told* in OCSF 1.9 wherever events',
    'are answered: the log, its hashes and its receipts stay what they are. The columns say how each event is told in either.',
    '',
    '| Event (`metadata.event_code`) | OCSF 1.8 | OCSF 1.9, where it differs |',
    '| --- | --- | --- |',
    ...codes.map(row),
    '',
    '## What every event has',
    '',
    '| Attribute | What it holds |',
    '| --- | --- |',
    ...Object.entries(everyEvent).map(
      ([names, what]) => `| ${names.replaceAll(/[^, ]+/g, '`$&`')} | ${what} |`,
    ),
    '',
    'To join an event to Entra ID’s logs: `tokenId` is the `uniqueTokenIdentifier`, `correlationId` the `correlationId` of the sign-in or',
    'of the Graph request, `chain[].id` the object ids, `metadata.tenant_uid` the tenant.',
    '',
    'A whole one:',
    '',
    '```json',
    JSON.stringify(eventOf(decidedFact({ attribution: by })), null, 2),
    '```',
    '',
    '## What is personal',
    '',
    'Values that tell of a person, or that somebody has typed, are not in the log: it binds them, each by a salted hash, in',
    '`unmapped.lockstep.sealed`. They stand beside it, and whoever may read events is told the event with the values in their places.',
    'What has been erased is missing, and its commitment left ([how](../guides/privacy-and-retention.md)). Of every event these are',
    'personal: `chain[].name` and wherever that name is said again, `sourceAddress` and `src_endpoint.ip`. What else is, is said below,',
    'as JSON pointers. The event above, as the log holds it:',
    '',
    '```json',
    JSON.stringify(leafOf(decidedFact({ attribution: by })), null, 2),
    '```',
    '',
    'Ids, scopes, actions, roles, conditions and the attributes that decisions rest on are never personal in this sense: every decision',
    'can be made again from the log, for ever.',
    '',
    '## Each event',
    '',
    'The examples leave out what every event has.',
    '',
    ...sections,
  ].join('\n'),
);

function row(code: EventCode): string {
  const of = samples.get(code) ?? [];
  const before = [...new Set(of.map((fact) => titleOf(eventOf(fact))))];
  const after = [
    ...new Set(of.map((fact) => titleOf(inOcsf19(entry(fact).bytes, toldOf(entry(fact)).told)))),
  ];
  return `| [\`${code}\`](#${code.replaceAll('.', '')}) | ${before.join('<br>')} | ${after.join() === before.join() ? '' : after.join('<br>')} |`;
}

function titleOf({ class_name, class_uid, activity_name, activity_id }: Members): string {
  // An operation is an example of many.
  const name =
    activity_id === 99 && String(activity_name).includes('/') ? '_operation_' : String(activity_name);
  return `${String(class_name)} (${String(class_uid)}): ${name}`;
}

function section(code: EventCode): string {
  const of = samples.get(code) ?? [];
  const [first] = of;
  if (first === undefined) throw new Error(`there is no sample of ${code}`);
  const paths = new Set<string>();
  const own = new Set<string>();
  const bound = new Set<string>();
  for (const fact of of) {
    for (const { at } of entry(fact).secrets) {
      for (const place of at)
        if (!boundEverywhere.test(place)) bound.add(place.replaceAll(/\/\d+\//g, '/*/'));
    }
    const { unmapped, ...event } = eventOf(fact);
    for (const [name, value] of Object.entries(event)) {
      if (!everywhere.has(name)) for (const path of leaves(name, value)) paths.add(path);
    }
    const { lockstep } = unmapped as { lockstep: Members };
    for (const name of Object.keys(lockstep)) if (!ownEverywhere.has(name)) own.add(name);
  }
  const listed = (names: ReadonlySet<string>): string =>
    [...names]
      .sort()
      .map((name) => `\`${name}\``)
      .join(', ') || 'none';
  return [
    `### ${code}`,
    '',
    eventKinds[code],
    '',
    `Attributes: ${listed(paths)}.`,
    '',
    `In \`unmapped.lockstep\`: ${listed(own)}.`,
    '',
    ...(bound.size === 0 ? [] : [`Personal: ${listed(bound)}.`, '']),
    '```json',
    JSON.stringify(shown(eventOf(first)), null, 2),
    '```',
    '',
  ].join('\n');
}

function shown({ unmapped, ...event }: Members): Members {
  const { lockstep } = unmapped as { lockstep: Members };
  const without = (members: Members, names: ReadonlySet<string>): Members =>
    Object.fromEntries(Object.entries(members).filter(([name]) => !names.has(name)));
  return {
    class_uid: event['class_uid'],
    activity_name: event['activity_name'],
    ...without(event, everywhere),
    unmapped: { lockstep: without(lockstep, ownEverywhere) },
  };
}

function leaves(path: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.slice(0, 1).flatMap((item) => leaves(`${path}[]`, item));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, member]) => leaves(`${path}.${name}`, member));
}

function eventOf(fact: Fact): Members {
  return JSON.parse(Buffer.from(toldOf(entry(fact)).told).toString('utf8')) as Members;
}

/** The parts that are of interest; salts are random, so that the hashes would be others every time. */
function leafOf(fact: Fact): Members {
  const leaf = JSON.parse(Buffer.from(entry(fact).bytes).toString('utf8')) as Members;
  const { sealed, chain, sourceAddress } = (leaf['unmapped'] as { lockstep: Members }).lockstep;
  const bound = (sealed as readonly { at: readonly string[] }[]).map(({ at }) => ({ at, hash: '…' }));
  const { actor, http_request, src_endpoint } = leaf;
  return {
    actor,
    http_request,
    src_endpoint,
    unmapped: { lockstep: { chain, sourceAddress, sealed: bound } },
  };
}

function entry(fact: Fact): Entry {
  return entryOf(fact, {
    id: 'evt_01kgd7yz0400000000000000000' as EventId,
    time,
    origin,
    productVersion: '0.1.0',
    position: fact.kind === 'change' ? { sequence: 42, previous: 40 } : null,
  });
}
