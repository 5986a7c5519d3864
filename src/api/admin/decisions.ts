import type { Route } from '../../gateway/routes.ts';
import { isPersonAlone, type Caller } from '../../identity/caller.ts';
import { failure } from '../../lib/errors.ts';
import type { DecisionId, PrincipalId } from '../../lib/ids.ts';
import { explain } from '../../policy/explain.ts';
import type { Access } from '../../policy/types.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { requireAlso } from '../also.ts';
import { ownAccess, ownRule } from '../own-actions.ts';
import { missingFrom } from '../refusal/refusal.ts';
import {
  decidedSchema,
  parseEvent,
  type DecidedFacts,
  type EventLog,
  type LedgerEvent,
} from './event-log.ts';
import { ownId } from './own.ts';
import { party } from './parties.ts';
import { callerOf, isoTime, noBody, ok } from './replies.ts';
import { undescribedRequest } from './undescribed-request.ts';
import { grantableBy } from './ways-on.ts';

export interface DecisionParts {
  readonly ledger: EventLog;
  readonly snapshot: PolicySnapshot;
}

/** Reasons for which policy was asked; the others are Lockstep's own rules. */
export const byPolicy = new Set([
  'role-assignment',
  'deny-assignment',
  'missing-grant',
  'unknown-principal',
  'disabled-principal',
]);

/** A recorded decision, and what policy says of the same question now. */
export function decisionRoutes({ ledger, snapshot }: DecisionParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/decisions/:id',
      operation: 'Lockstep.Access/decisions/readOwn',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('own-decisions'),
      async serve(exchange, { id = '' }) {
        const found = await findDecision(ledger, id);
        const mine = found !== null && isParty(callerOf(exchange), found.facts);
        // Asked whether or not there is such a decision, so that its existence is not told to strangers.
        if (!mine) await requireAlso(exchange, ownAccess('decisions/read'));
        if (found === null) throw failure('not_found', `There is no decision ${id.slice(0, 80)}.`);
        const { event, facts } = found;
        const { action, dataAction, scope } = facts;
        const authorities = facts.authorities as PrincipalId[];
        const access = accessOf(facts);
        const explanation = byPolicy.has(facts.reason) ? explain(snapshot, authorities, access) : null;
        return ok({
          decision: {
            id,
            eventId: event.metadata.uid,
            time: isoTime(event.time),
            surface: facts.surface,
            operation: facts.operation,
            chain: facts.chain,
            allowed: facts.allowed,
            reason: facts.reason,
            policyId: facts.policyId ?? `default:${facts.reason}`,
            decidedFor: facts.decidedFor === null ? null : party(snapshot, facts.decidedFor),
            authorities: authorities.map((authority) => party(snapshot, authority)),
            action,
            dataAction,
            scope,
            snapshotVersion: facts.snapshotVersion ?? 0,
          },
          explanation,
          grantable: explanation === null ? [] : await grantableBy(exchange, snapshot, explanation),
          askable: explanation !== null && mayAsk(callerOf(exchange), { authorities, access }, snapshot),
          undescribed: facts.reason === 'unknown-route' ? undescribedRequest(facts, event) : null,
          warnings: [],
        });
      },
    },
  ];
}

/** Whether there is a role for this person to ask for, by whom it was decided about. */
function mayAsk(
  caller: Caller,
  decided: { readonly authorities: readonly PrincipalId[]; readonly access: Access },
  snapshot: PolicySnapshot,
): boolean {
  return isPersonAlone(caller) && missingFrom(decided, caller.subject.id, snapshot) !== null;
}

/** The access that was decided on, attributes included, so that conditions are asked the same again. */
export function accessOf({ action, dataAction, scope, attributes = {}, ...rest }: DecidedFacts): Access {
  const { subOperation, subtree } = rest;
  const { request, resource, environment } = attributes;
  return {
    action,
    dataAction,
    scope,
    ...(subOperation === undefined ? {} : { subOperation }),
    ...(subtree === undefined ? {} : { subtree }),
    attributes: {
      ...(request ? { request } : {}),
      ...(resource ? { resource } : {}),
      ...(environment ? { environment } : {}),
    },
  };
}

/** A decision that is recorded under this id; null for none. */
export async function findDecision(
  ledger: Pick<EventLog, 'eventsByDecision'>,
  id: string,
): Promise<{ event: LedgerEvent; facts: DecidedFacts } | null> {
  if (!/^dec_[0-9a-z]{26}$/.test(id)) return null;
  for (const row of await ledger.eventsByDecision(id as DecisionId)) {
    const event = parseEvent(row);
    const facts = decidedSchema.safeParse(event.unmapped.lockstep);
    if (facts.success) return { event, facts: facts.data };
  }
  return null;
}

/** Whoever acted in it, answers for it, or was asked about. */
function isParty(caller: Caller, { chain, authorities }: DecidedFacts): boolean {
  const own = ownId(caller);
  return chain.some((link) => link.id === own) || authorities.includes(own);
}
