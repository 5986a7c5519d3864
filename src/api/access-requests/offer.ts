import type { PrincipalId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { decideForAll } from '../../policy/decide.ts';
import type { Access } from '../../policy/types.ts';
import { accessOf, byPolicy, findDecision } from '../admin/decisions.ts';
import type { EventLog } from '../admin/event-log.ts';
import { missingFrom, type Missing } from '../refusal/refusal.ts';

/** What somebody may ask for after a decision. It is made from the record and from policy, never from what they send. */
export type Offer =
  | { readonly kind: 'role'; readonly decisionId: string; readonly access: Access; readonly missing: Missing }
  /** By now they may. */
  | { readonly kind: 'allowed'; readonly access: Access }
  /** No role would be enough: a deny assignment stands against it, or somebody else in the chain lacks a right. */
  | { readonly kind: 'none'; readonly access: Access };

export interface OfferParts {
  readonly ledger: Pick<EventLog, 'eventsByDecision'>;
  readonly snapshot: PolicySnapshot;
}

/** Null where there is no such decision, or none that was about this person: the two are not told apart. */
export async function offerFor(
  { ledger, snapshot }: OfferParts,
  person: PrincipalId,
  decisionId: string,
): Promise<Offer | null> {
  const facts = (await findDecision(ledger, decisionId))?.facts;
  if (facts === undefined || !byPolicy.has(facts.reason) || !facts.authorities.includes(person)) return null;
  const access = accessOf(facts);
  const authorities = facts.authorities as PrincipalId[];
  if (decideForAll(snapshot, authorities, access).allowed) return { kind: 'allowed', access };
  const missing = missingFrom({ authorities, access }, person, snapshot);
  return missing === null ? { kind: 'none', access } : { kind: 'role', decisionId, access, missing };
}
