import type { Exchange } from '../../gateway/types.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Explanation } from '../../policy/explanation.ts';
import { grantingAccess } from '../../policy/grantors.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';

/** Those who lack something that the caller could give them, as the request in their remedy would. */
export async function grantableBy(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  explanation: Explanation,
): Promise<PrincipalId[]> {
  const offers = explanation.authorities.flatMap(({ principal, remedy }) => {
    const role = remedy?.roles[0]?.id;
    return remedy?.request == null || role === undefined
      ? []
      : [{ principal: principal.id, role, scope: remedy.request.scope }];
  });
  const decisions = await exchange.decideEach(
    offers.map(({ scope, ...granted }) => grantingAccess(snapshot, scope, granted)),
  );
  return offers.flatMap(({ principal }, i) => (decisions[i]?.allowed === true ? [principal] : []));
}
