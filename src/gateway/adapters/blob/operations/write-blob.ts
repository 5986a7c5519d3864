import { blobDataAction } from '../access.ts';
import { parseConditions, writePrecondition } from '../conditions.ts';
import { blobFailure } from '../errors.ts';
import { noBody, type BlobOperation } from '../operation.ts';
import { emptyReply, versionHeaders } from '../replies.ts';
import {
  announcedLength,
  announcedMd5,
  contentHeaderNames,
  givenContentHeaders,
  metadataOf,
  putContentHeaders,
} from '../request-headers.ts';
import { uploadOf, whileLive } from '../while-live.ts';
import { writtenHeaders } from './written.ts';

/** learn.microsoft.com/rest/api/storageservices/put-blob#remarks: 5,000 MiB in one put. */
const maxPutBytes = 5000 * 1024 * 1024;

/** learn.microsoft.com/rest/api/storageservices/put-blob */
export const putBlob: BlobOperation = {
  effect: 'change',
  body: { kind: 'streamed', maxBytes: maxPutBytes },
  headers: ['x-ms-blob-type', ...contentHeaderNames],
  metadata: true,
  conditions: true,
  open({ target: { at }, head: { headers } }) {
    checkBlobType(headers['x-ms-blob-type']);
    const md5 = announcedMd5(headers, 'content-md5', 'x-ms-blob-content-md5');
    const details = { contentHeaders: putContentHeaders(headers), metadata: metadataOf(headers) };
    const precondition = writePrecondition(parseConditions(headers), true);
    return {
      access: blobDataAction('write', at.scope),
      serve: async (exchange, { store }) => {
        const blob = await store.put(
          exchange.attribution,
          at,
          uploadOf(exchange, announcedLength(headers), md5),
          { ...details, precondition: whileLive(exchange, precondition) },
        );
        return emptyReply(201, writtenHeaders(blob));
      },
    };
  },
};

/** Replaces all of it. learn.microsoft.com/rest/api/storageservices/set-blob-metadata */
export const setBlobMetadata: BlobOperation = {
  effect: 'change',
  body: noBody,
  metadata: true,
  conditions: true,
  open({ target: { at }, head: { headers } }) {
    const metadata = metadataOf(headers);
    const precondition = writePrecondition(parseConditions(headers));
    return {
      access: blobDataAction('write', at.scope),
      serve: async (exchange, { store }) => {
        const condition = whileLive(exchange, precondition);
        return emptyReply(
          200,
          versionHeaders(await store.setMetadata(exchange.attribution, at, metadata, condition)),
        );
      },
    };
  },
};

/** What is not given is cleared. learn.microsoft.com/rest/api/storageservices/set-blob-properties */
export const setBlobProperties: BlobOperation = {
  effect: 'change',
  body: noBody,
  headers: contentHeaderNames,
  conditions: true,
  open({ target: { at }, head: { headers } }) {
    const content = givenContentHeaders(headers);
    const md5 = announcedMd5(headers, 'x-ms-blob-content-md5');
    const precondition = writePrecondition(parseConditions(headers));
    return {
      access: blobDataAction('write', at.scope),
      serve: async (exchange, { store }) => {
        const condition = whileLive(exchange, precondition);
        const blob = await store.setContentHeaders(exchange.attribution, at, content, md5, condition);
        return emptyReply(200, versionHeaders(blob));
      },
    };
  },
};

/** learn.microsoft.com/rest/api/storageservices/delete-blob */
export const deleteBlob: BlobOperation = {
  effect: 'change',
  body: noBody,
  headers: ['x-ms-delete-snapshots'],
  conditions: true,
  open({ target: { at }, head: { headers } }) {
    // There are no snapshots here: `include` deletes none of them, `only` would have to leave the blob.
    if ((headers['x-ms-delete-snapshots'] ?? 'include') !== 'include') {
      throw blobFailure('InvalidHeaderValue', "There are no snapshots here; 'include' is the only choice.");
    }
    const precondition = writePrecondition(parseConditions(headers));
    return {
      access: blobDataAction('delete', at.scope),
      serve: async (exchange, { store }) => {
        await store.delete(exchange.attribution, at, whileLive(exchange, precondition));
        return emptyReply(202, { 'x-ms-delete-type-permanent': 'true' });
      },
    };
  },
};

function checkBlobType(type: string | readonly string[] | undefined): void {
  if (type === 'BlockBlob') return;
  if (type === undefined)
    throw blobFailure('MissingRequiredHeader', "The header 'x-ms-blob-type' is missing.");
  throw blobFailure('InvalidHeaderValue', "The value of 'x-ms-blob-type' is not understood.");
}
