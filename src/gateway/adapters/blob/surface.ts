import type { Clock } from '../../../lib/clock.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import type { Described, Reply, RequestHead, Surface } from '../../types.ts';
import { atTarget } from './attributes.ts';
import { blobFailure } from './errors.ts';
import { isAccountName } from './names.ts';
import type { Operation, Surroundings } from './operation.ts';
import { blobOperations, containerOperations, refusedFeatures, serviceOperations } from './operations.ts';
import { renderBlobError } from './render-error.ts';
import { commonHeaders } from './replies.ts';
import { checkHeaders, checkQuery, parseQuery, type Query } from './request-rules.ts';
import type { BlobStore } from './store.ts';
import { isBlobAddress, parseTarget, type Account, type Target } from './target.ts';

export interface BlobSurfaceOptions {
  readonly accounts: readonly Account[];
  readonly store: BlobStore;
  readonly tenantId: string;
  /** `https://host:port`, no trailing slash. */
  readonly publicUrl: string;
  readonly baseDomain: string;
  readonly clock: Clock;
}

/** The Blob service for the named accounts, path style and host style. Throws for an account that cannot be addressed. */
export function blobSurface(options: BlobSurfaceOptions): Surface {
  const { clock, store } = options;
  const addressing = {
    accounts: accountsByName(options.accounts),
    baseDomain: options.baseDomain.toLowerCase(),
  };
  const surroundings: Surroundings = {
    store,
    addressing,
    publicAuthority: new URL(options.publicUrl).host,
    clock,
  };
  // Unquoted and separated by a space: what Azure sends, and what its clients take apart.
  const challenge =
    `Bearer authorization_uri=${options.publicUrl}/${options.tenantId}/oauth2/authorize ` +
    'resource_id=https://storage.azure.com';

  return {
    name: 'blob',
    admitsEncodedSlash: true,
    acceptsSessionCookie: false,
    audiences: audiencesOf(options),
    matches: (head) => isBlobAddress(addressing, head.host, head.path),
    describe(head) {
      const target = parseTarget(addressing, head.host, head.path);
      return target === null ? null : describeTarget(target, head, surroundings);
    },
    renderError: (error, head) => renderBlobError({ challenge, clock }, error, head),
  };
}

function audiencesOf({ accounts, baseDomain }: BlobSurfaceOptions): readonly string[] {
  const hosts = accounts.flatMap(({ name }) => [
    `https://${name}.blob.core.windows.net`,
    `https://${name}.blob.${baseDomain.toLowerCase()}`,
  ]);
  return ['https://storage.azure.com', ...new Set(hosts)].flatMap((audience) => [audience, `${audience}/`]);
}

function accountsByName(accounts: readonly Account[]): ReadonlyMap<string, Account> {
  const byName = new Map<string, Account>();
  for (const account of accounts) {
    if (!isAccountName(account.name))
      throw new Error(`'${account.name}' is not the name of a storage account`);
    if (normalizeScope(account.scope) !== account.scope) {
      throw new Error(`the scope of the storage account ${account.name} is not in normal form`);
    }
    if (byName.has(account.name)) throw new Error(`the storage account ${account.name} is named twice`);
    byName.set(account.name, account);
  }
  return byName;
}

/** Null for what neither Azure nor this store knows, which is a deny. */
function describeTarget(target: Target, head: RequestHead, surroundings: Surroundings): Described | null {
  const query = parseQuery(head.rawQuery);
  const key = [query.get('restype'), query.get('comp')].filter((part) => part !== undefined).join(' ');
  switch (target.kind) {
    case 'service':
      return describeWith(serviceOperations.get(`${head.method} ${key}`.trim()), target);
    case 'container':
      return describeWith(containerOperations.get(`${head.method} ${key}`.trim()), target);
    case 'blob': {
      const copies = key === '' && head.method === 'PUT' && isCopy(head);
      return describeWith(blobOperations.get(copies ? 'PUT copy' : `${head.method} ${key}`.trim()), target);
    }
  }

  function describeWith<T extends Target>(operation: Operation<T> | undefined, target: T): Described | null {
    if (operation === undefined) {
      checkQuery(query, Array.from(query.keys()));
      return refuseFeature(key, head, query);
    }
    return describeOperation(operation, target, head, query, surroundings);
  }
}

function describeOperation<T extends Target>(
  operation: Operation<T>,
  target: T,
  head: RequestHead,
  query: Query,
  surroundings: Surroundings,
): Described {
  checkQuery(query, operation.query ?? []);
  checkHeaders(head.headers, {
    headers: operation.headers ?? [],
    metadata: operation.metadata ?? false,
    conditions: operation.conditions ?? false,
  });
  const opened = operation.open({ target, head, query });
  return {
    operation: opened.access.action,
    guard: { kind: 'action', access: atTarget(opened.access, target) },
    effect: operation.effect,
    body: operation.body,
    serve: async (exchange): Promise<Reply> => {
      const reply = await opened.serve(exchange, surroundings);
      return { ...reply, headers: { ...commonHeaders(head, surroundings.clock), ...reply.headers } };
    },
  };
}

/**
 * Copy Blob, and its synchronous form, as opposed to Put Blob. Put Blob From URL carries a blob type too, and is not
 * served; nor are other types of blobs.
 */
function isCopy(head: RequestHead): boolean {
  const type = head.headers['x-ms-blob-type'];
  if (type === 'PageBlob' || type === 'AppendBlob') {
    throw blobFailure('FeatureNotSupported', 'Only block blobs are kept here: no page and no append blobs.');
  }
  if (head.headers['x-ms-copy-source'] === undefined) return false;
  if (type === undefined) return true;
  throw blobFailure('FeatureNotSupported', 'Put Blob From URL is not served here; use Copy Blob.');
}

function refuseFeature(key: string, head: RequestHead, query: Query): null {
  const sentence = refusedFeatures.get(key);
  if (sentence !== undefined) throw blobFailure('FeatureNotSupported', sentence);
  if (!['GET', 'HEAD', 'PUT', 'DELETE', 'POST'].includes(head.method)) {
    throw blobFailure('UnsupportedHttpVerb', 'Blob has no operation with this method.');
  }
  if (query.has('comp') || query.has('restype')) {
    throw blobFailure(
      'InvalidQueryParameterValue',
      "No operation has this 'restype' and 'comp' with this method.",
    );
  }
  return null;
}
