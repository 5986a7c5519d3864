import { randomUUID } from 'node:crypto';
import { LockstepError } from '../../../../lib/errors.ts';
import type { RequestHead } from '../../../types.ts';
import { blobDataAction } from '../access.ts';
import { parseConditions, writePrecondition } from '../conditions.ts';
import { blobFailure } from '../errors.ts';
import { noBody, type BlobOperation, type Surroundings } from '../operation.ts';
import { emptyReply, versionHeaders } from '../replies.ts';
import { metadataOf } from '../request-headers.ts';
import type { BlobAddress, BlobProperties, OpenBlob } from '../store.ts';
import { parseTarget } from '../target.ts';
import { whileLive } from '../while-live.ts';

/**
 * Copies within this store; done when the answer comes. The source is decided on as a read of its own.
 * learn.microsoft.com/rest/api/storageservices/copy-blob and …/copy-blob-from-url
 */
export const copyBlob: BlobOperation = {
  effect: 'change',
  body: noBody,
  headers: ['x-ms-copy-source', 'x-ms-requires-sync'],
  metadata: true,
  conditions: true,
  open({ target: { at }, head }) {
    const url = String(head.headers['x-ms-copy-source']);
    const sync = head.headers['x-ms-requires-sync'] ?? 'true';
    if (sync !== 'true') throw blobFailure('InvalidHeaderValue', "'x-ms-requires-sync' is true or absent.");
    const metadata = metadataOf(head.headers);
    const precondition = writePrecondition(parseConditions(head.headers), true);
    return {
      access: blobDataAction('write', at.scope),
      serve: async (exchange, surroundings) => {
        const { store } = surroundings;
        const source = sourceOf(url, head, surroundings);
        const decision = await exchange.decideAlso(blobDataAction('read', source.scope));
        if (!decision.allowed) throw new LockstepError({ code: 'access_denied', details: { decision } });
        const from = await store.open(source);
        const { properties } = from;
        const upload = { stream: contentOf(from), bytes: properties.size, md5: properties.md5 };
        const details = {
          contentHeaders: properties.contentHeaders,
          metadata: metadata.length > 0 ? metadata : properties.metadata,
          precondition: whileLive(exchange, precondition),
        };
        let written: BlobProperties;
        try {
          written = await store.put(exchange.attribution, at, upload, details);
        } finally {
          await from.close();
        }
        return emptyReply(202, {
          ...versionHeaders(written),
          'x-ms-copy-id': randomUUID(),
          'x-ms-copy-status': 'success',
        });
      },
    };
  },
};

async function* contentOf(blob: OpenBlob): AsyncGenerator<Uint8Array> {
  const { size } = blob.properties;
  if (size === 0) return;
  yield* blob.read(0, size - 1) as AsyncIterable<Uint8Array>;
}

/** The blob of this store that a copy source names; nothing is ever fetched. Throws CannotVerifyCopySource. */
function sourceOf(url: string, head: RequestHead, surroundings: Surroundings): BlobAddress {
  const { addressing, publicAuthority } = surroundings;
  const match = /^https:\/\/([^/?#@\\]+)(\/[^?#\\]*)$/i.exec(url);
  if (match === null) {
    throw blobFailure('CannotVerifyCopySource', 'The copy source is not a plain https URL of a blob.');
  }
  const [, authority = '', path = ''] = match;
  const known = authority.toLowerCase();
  const host = known.replace(/:\d+$/, '');
  const byAccountHost = host.endsWith(`.blob.${addressing.baseDomain}`);
  if (known !== head.authority && known !== publicAuthority && !byAccountHost) throw elsewhere();
  const target = parseTarget(addressing, host, path);
  if (target?.kind !== 'blob') throw elsewhere();
  return target.at;
}

function elsewhere() {
  return blobFailure('CannotVerifyCopySource', 'The copy source is not a blob of this store.');
}
