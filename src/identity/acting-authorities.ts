import type { PrincipalId } from '../lib/ids.ts';
import { authoritiesOf } from './leases/leases.ts';
import type { Liveness } from './liveness.ts';

/**
 * In whose names a principal acts, each of whom must be allowed: a running job with its owner and submitter, anybody
 * else alone. Empty for whoever cannot act: disabled, without a person who answers for it, a job that is not running, a
 * group, nobody known.
 */
export function actingAuthorities(liveness: Liveness, id: PrincipalId): readonly PrincipalId[] {
  const authorities = namedBy(liveness, id);
  return authorities.every((authority) => liveness.whyDead(authority) === null) ? authorities : [];
}

function namedBy(liveness: Liveness, id: PrincipalId): readonly PrincipalId[] {
  switch (liveness.principal(id)?.kind) {
    case undefined:
    case 'group':
      return [];
    case 'job': {
      const lease = liveness.openLeases().find(({ jobId }) => jobId === id);
      return lease?.state === 'running' ? authoritiesOf(lease) : [];
    }
    case 'user':
    case 'application':
    case 'managed-identity':
      return [id];
  }
}
