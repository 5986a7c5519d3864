import { isGuid, type TenantId } from '../../lib/ids.ts';
import { refusal } from './errors.ts';

/** What the first path segment names: this tenant by its id, or whichever tenant the account is in. */
export type TenantSegment = 'ours' | 'any';

/** Throws AADSTS90002 for a tenant that is not this one. Segments are compared without case. */
export function tenantOf(segment: string, tenantId: TenantId): TenantSegment {
  const name = segment.toLowerCase();
  if (name === tenantId) return 'ours';
  if (name === 'common' || name === 'organizations') return 'any';
  const shown = isGuid(segment) ? segment : JSON.stringify(segment.slice(0, 100));
  throw refusal(
    'invalid_request',
    90_002,
    `Tenant ${shown} was not found here. This installation has one tenant: ${tenantId}.`,
  );
}
