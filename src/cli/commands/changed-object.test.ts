import { describe, expect, it } from 'vitest';
import type { EventId } from '../../lib/ids.ts';
import { entryOf } from '../../ledger/catalogue/entry.ts';
import { attribution, decidedFact } from '../../ledger/testing/ledger-fixture.ts';
import { sampleChanges } from '../../ledger/testing/sample-facts.ts';
import { toldOf } from '../../ledger/testing/told.ts';
import type { Fact } from '../../ledger/events.ts';
import { roleIds } from '../../policy/built-in-roles.ts';
import type { Change } from '../../store/changes.ts';
import { changedObject } from './changed-object.ts';
import { eventSchema, whatHappened } from './shown-event.ts';

const context = {
  id: 'evt_1' as EventId,
  time: 1_770_000_000_000,
  origin: 'log.test',
  productVersion: '1',
  position: null,
};

function eventOf(fact: Fact): unknown {
  return JSON.parse(Buffer.from(toldOf(entryOf(fact, context)).told).toString('utf8'));
}

function changeEvent(change: Change): unknown {
  return eventOf({ kind: 'change', attribution: attribution(), change });
}

describe('whom and what a change is about', () => {
  it.each(Object.values(sampleChanges).map((change) => [change.kind, change] as const))(
    '%s is told, by words or by a scope',
    (_, change) => {
      const { what, scope } = changedObject(changeEvent(change)) ?? { what: '', scope: null };
      expect(`${what}${scope ?? ''}`).not.toBe('');
    },
  );

  const person = '22222222-2222-4222-8222-222222222222';
  const team = '55555555-5555-4555-8555-555555555555';
  it.each([
    ['group.member-added', `${person} → ${team}`, null],
    ['principal.deleted', person, null],
    ['principal.created', 'Ada', null],
    ['person.erased', person, null],
    ['resource.put', '', '/subscriptions/s/x'],
    ['credential.added', `${person} (certificate)`, null],
    ['deny-assignment.put', 'nobody deletes', null],
  ] as const)('of %s is `%s`', (kind, what, scope) => {
    expect(changedObject(changeEvent(sampleChanges[kind]))).toEqual({ what, scope });
  });

  it('a role assignment names its role where Lockstep brings it, and where it holds', () => {
    const { assignment } = sampleChanges['role-assignment.put'];
    const roleDefinitionId = roleIds.reader;
    expect(
      changedObject(
        changeEvent({ kind: 'role-assignment.put', assignment: { ...assignment, roleDefinitionId } }),
      ),
    ).toEqual({ what: `${person} (Reader)`, scope: '/subscriptions/s' });
  });

  it('says why a session ended, on the line that tells of it', () => {
    const { session } = sampleChanges['session.closed'];
    const event = eventSchema.parse(changeEvent({ kind: 'session.closed', session, reason: 'signed-out' }));
    expect(whatHappened(event)).toBe(`session.closed  ${person} (signed-out)`);
  });

  it('is nothing of an event that is no change', () => {
    expect(changedObject(eventOf(decidedFact()))).toBeNull();
  });
});
