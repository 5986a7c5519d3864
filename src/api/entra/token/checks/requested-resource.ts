// RFC 6749 §3.3 as Entra has it: `scope={resource}/.default`, one resource, known here; `resource` at the first endpoint.
import { refusal } from '../../errors.ts';
import { knowsResource } from '../../resources.ts';
import type { TokenParts } from '../endpoint.ts';
import type { TokenRequestForm } from '../request.ts';

const suffix = '/.default';
/** What MSAL for Go asks for beside the resource, whoever asks; an application gets no token of a person for it. */
const ofPeople = new Set(['openid', 'offline_access', 'profile']);

/**
 * The resource exactly as it was asked for, its own trailing slash included, which becomes `aud`.
 * Throws AADSTS900144, 70011, 1002012, 28000 or 500011.
 */
export function requestedResource(parts: TokenParts, request: TokenRequestForm): string {
  const resource = request.version === 1 ? fromResource(request) : fromScope(request);
  if (!knowsResource(parts.resources, resource))
    throw refusal(
      'invalid_resource',
      500_011,
      `The resource ${JSON.stringify(resource.slice(0, 200))} is not known in this tenant.`,
    );
  return resource;
}

function fromResource({ form }: TokenRequestForm): string {
  const resource = form.get('resource');
  if (resource === undefined || resource === '')
    throw refusal('invalid_request', 900_144, "The request body must contain the parameter 'resource'.");
  return resource;
}

function fromScope({ form }: TokenRequestForm): string {
  const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '' && !ofPeople.has(scope));
  const [scope, second] = scopes;
  if (scope === undefined)
    throw refusal('invalid_request', 900_144, "The request body must contain the parameter 'scope'.");
  if (second !== undefined) {
    const several = scopes.every((each) => each.endsWith(suffix));
    throw several
      ? refusal(
          'invalid_scope',
          28_000,
          'Scopes of several resources were asked for; one token is for one resource.',
        )
      : refusal(
          'invalid_scope',
          70_011,
          'A client asks for its own token with the one scope {resource}/.default.',
        );
  }
  if (!scope.endsWith(suffix) || scope === suffix)
    throw refusal(
      'invalid_scope',
      1_002_012,
      `The scope ${JSON.stringify(scope.slice(0, 200))} is not valid here: a client asks for its own token with {resource}/.default.`,
    );
  return scope.slice(0, -suffix.length);
}
