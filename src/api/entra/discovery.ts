import type { Reply } from '../../gateway/types.ts';
import type { TenantId } from '../../lib/ids.ts';
import { refusal } from './errors.ts';
import type { TenantSegment } from './tenants.ts';

export interface Authority {
  /** Without a trailing slash. */
  readonly publicUrl: string;
  readonly tenantId: TenantId;
}

/** The one issuer of every token. */
export function issuerOf({ publicUrl, tenantId }: Authority): string {
  return `${publicUrl}/${tenantId}/v2.0`;
}

/** OpenID Connect Discovery 1.0 §3, with the members that Microsoft's clients look for. */
export function discoveryDocument(authority: Authority, segment: string, tenant: TenantSegment) {
  const { publicUrl } = authority;
  const at = `${publicUrl}/${tenant === 'ours' ? authority.tenantId : segment.toLowerCase()}`;
  const oauth = `${at}/oauth2/v2.0`;
  return {
    issuer: tenant === 'ours' ? issuerOf(authority) : `${publicUrl}/{tenantid}/v2.0`,
    authorization_endpoint: `${oauth}/authorize`,
    token_endpoint: `${oauth}/token`,
    userinfo_endpoint: `${at}/openid/userinfo`,
    end_session_endpoint: `${oauth}/logout`,
    authorization_response_iss_parameter_supported: true,
    jwks_uri: `${at}/discovery/v2.0/keys`,
    token_endpoint_auth_methods_supported: [
      'none',
      'client_secret_post',
      'client_secret_basic',
      'private_key_jwt',
    ],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    claims_supported: [
      'sub',
      'iss',
      'aud',
      'exp',
      'iat',
      'nonce',
      'name',
      'preferred_username',
      'oid',
      'tid',
    ],
    request_uri_parameter_supported: false,
    tenant_region_scope: null,
    cloud_instance_name: new URL(publicUrl).host,
    cloud_graph_host_name: new URL(publicUrl).host,
    msgraph_host: new URL(publicUrl).host,
    rbac_url: publicUrl,
  };
}

/**
 * Which hosts are one and the same authority; MSAL asks before it trusts one. Throws `invalid_request` for any host
 * but this one.
 */
export function instanceDiscovery(authority: Authority, query: URLSearchParams) {
  const host = new URL(authority.publicUrl).host;
  const asked = query.get('authorization_endpoint');
  if (asked !== null && !(URL.canParse(asked) && new URL(asked).host === host))
    throw refusal(
      'invalid_request',
      50_049,
      'Unknown or invalid instance: this authority speaks for itself only.',
    );
  return {
    tenant_discovery_endpoint: `${authority.publicUrl}/${authority.tenantId}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  };
}

/** Public, cacheable for a while, readable from any origin (single-page applications fetch it). */
export function publicJson(value: unknown, maxAgeSeconds: number): Reply {
  return {
    status: 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': `public, max-age=${maxAgeSeconds}`,
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
    },
    body: JSON.stringify(value),
  };
}
