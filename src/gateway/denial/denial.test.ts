import { describe, expect, it } from 'vitest';
import type { Caller } from '../../identity/caller.ts';
import { newDecisionId, newLeaseId, type PrincipalId } from '../../lib/ids.ts';
import type { Cause, Decision } from '../../policy/types.ts';
import { alice, callerOf } from '../testing/gateway.ts';
import { accessDenied } from './denial.ts';

const other = '22222222-0000-4000-8000-000000000002' as PrincipalId;

function said(caller: Caller, cause: Cause, decidedFor: PrincipalId = alice): string {
  const decision: Decision = {
    id: newDecisionId(0),
    allowed: false,
    cause,
    decidedFor,
    authorities: caller.authorities,
    access: { action: 'Contoso.Things/read', dataAction: false, scope: '/things' },
    snapshotVersion: 1,
    restsOnTime: false,
  };
  return accessDenied(caller, decision).publicMessage;
}

describe('a denial', () => {
  const person = callerOf(alice);
  const missing: Cause = { kind: 'missing-grant' };

  it('tells the person who lacks something how to ask for it', () => {
    expect(said(person, missing)).toMatch(
      /no role assignment grants it\. See `lockstep explain (dec_\w+)`; ask for it with `lockstep requests ask \1 --reason '…'`\.$/,
    );
  });

  it('leads nobody to ask where no role of theirs would help, nor a program, which cannot', () => {
    const denied: Cause = { kind: 'deny-assignment', id: 'd', name: 'Freeze', scope: '/things' };
    const job = {
      ...person,
      credential: { ...person.credential, leaseId: newLeaseId(0) },
    };
    for (const text of [said(person, denied), said(person, missing, other), said(job, missing)]) {
      expect(text).toMatch(/See `lockstep explain dec_\w+`\.$/);
    }
  });
});
