import type { Described, Exchange } from '../../gateway/types.ts';
import { failure } from '../../lib/errors.ts';

/** The same request, but with an `api-version`, as the resource manager wants it: asked for only after the caller is let in. */
export function versioned(described: Described): Described {
  return {
    ...described,
    serve: async (exchange) => {
      requireApiVersion(exchange);
      return described.serve(exchange);
    },
  };
}

/** Throws `invalid_request` where the version of the API is not named, as the resource manager does; any is accepted. */
function requireApiVersion(exchange: Exchange): void {
  const versions = exchange.head.query.getAll('api-version');
  if (versions.length >= 1 && versions[0] !== '') return;
  throw failure(
    'invalid_request',
    'The api-version query parameter (?api-version=) is required for all requests.',
    { azureCode: 'MissingApiVersionParameter' },
  );
}
