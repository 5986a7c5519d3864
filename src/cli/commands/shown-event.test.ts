import { expect, test } from 'vitest';
import { entryOf } from '../../ledger/catalogue/entry.ts';
import type { RequestFact } from '../../ledger/events.ts';
import { sampleRequestFacts } from '../../ledger/testing/sample-facts.ts';
import type { DecisionId, EventId } from '../../lib/ids.ts';
import { eventSchema, shownEvent, whatHappened } from './shown-event.ts';

type Kind = RequestFact['kind'];
const context = { id: 'evt_1' as EventId, time: 1, origin: 'log.test', productVersion: '1', position: null };

function sample<K extends Kind>(kind: K): Extract<RequestFact, { kind: K }> {
  const found = sampleRequestFacts.find((fact) => fact.kind === kind);
  return found as Extract<RequestFact, { kind: K }>;
}

function event(fact: RequestFact): unknown {
  return JSON.parse(Buffer.from(entryOf(fact, context).bytes).toString('utf8'));
}

const said = (fact: RequestFact) => whatHappened(eventSchema.parse(event(fact)));

test.each([
  ['completed', 200, 'ended 200'],
  ['completed', 404, 'ended 404'],
  ['client-gone', 200, 'ended (the client left) 200'],
  ['failed', 502, 'broke off 502'],
  ['cut-by-operator', 101, 'cut (by an operator) 101'],
  ['policy-changed', 200, 'cut (lost the right) 200'],
  ['identity-ended', 200, 'cut (the sign-in has ended) 200'],
  ['draining', 101, 'cut (the server stopped) 101'],
  ['some-new-reason', 200, 'cut (some new reason) 200'],
])('the end of a request is told as one would say it: %s', (ending, status, words) => {
  const fact = sample('request.ended');
  expect(said({ ...fact, ending, status })).toBe(`${words}  ${fact.operation}`);
});

test('of a cut it is told by whom, or after which change, and where to read on', () => {
  const fact = sample('request.ended');
  const principalId = '55555555-5555-4555-8555-555555555555';
  const decisionId = 'dec_01h455vb4pex5vsknk084sn02q' as DecisionId;
  const byOperator: RequestFact = {
    ...fact,
    ending: 'cut-by-operator',
    cutBy: { kind: 'operator', principalId, decisionId },
  };
  expect(said(byOperator)).toContain(`cut (by ${principalId}) 201`);
  expect(shownEvent(event(byOperator))).toContainEqual(['cut by', `${principalId}, ${decisionId}`]);
  const eventId = 'evt_01h455vb4pex5vsknk084sn02q' as EventId;
  const byChange: RequestFact = {
    ...fact,
    ending: 'policy-changed',
    cutBy: { kind: 'change', change: 'group.member-removed', eventId },
  };
  expect(said(byChange)).toContain('cut (lost the right: group.member-removed) 201');
  expect(shownEvent(event(byChange))).toContainEqual(['cut by', `group.member-removed, ${eventId}`]);
});

test('of many reads their scope is told, and how many had which status', () => {
  const fact = sample('requests.ended');
  const [outcome] = fact.outcomes;
  if (outcome === undefined) throw new Error('the sample has no outcome');
  const of = (...statuses: number[]) => ({
    ...fact,
    outcomes: statuses.map((status) => ({ ...outcome, status })),
  });
  expect(said(of(200, 200, 200))).toBe(`3 reads ended 200  ${fact.operation}`);
  expect(said(of(304, 200, 200, 404))).toBe(`4 reads ended 2 × 200, 1 × 304, 1 × 404  ${fact.operation}`);
  expect(shownEvent(event(fact))).toContainEqual(['scope', fact.scope]);
});

test.each([
  ['start', 'the server started'],
  ['stop', 'the server stopped'],
  ['clock-set', 'the clock was set'],
] as const)('of the server’s life it is told what happened: %s', (activity, words) => {
  expect(said({ ...sample('lifecycle'), activity })).toBe(words);
});
