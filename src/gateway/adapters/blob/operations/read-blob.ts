import type { Reply } from '../../../types.ts';
import { blobDataAction } from '../access.ts';
import { evaluateRead, parseConditions } from '../conditions.ts';
import { noBody, type BlobOperation } from '../operation.ts';
import { parseRange, resolveRange, type AskedRange } from '../ranges.ts';
import { blobHeaders, emptyReply, metadataHeaders, versionHeaders } from '../replies.ts';
import type { BlobProperties, OpenBlob } from '../store.ts';

/** learn.microsoft.com/rest/api/storageservices/get-blob */
export const getBlob: BlobOperation = {
  effect: 'read',
  body: noBody,
  headers: ['x-ms-range'],
  conditions: true,
  open({ target: { at }, head }) {
    const conditions = parseConditions(head.headers);
    const asked = parseRange(head.headers);
    return {
      access: blobDataAction('read', at.scope),
      serve: async (_exchange, { store }) => {
        const blob = await store.open(at);
        try {
          if (evaluateRead(conditions, blob.properties) === 'not-modified') {
            await blob.close();
            return notModified(blob.properties);
          }
          return await contentReply(blob, asked);
        } catch (error) {
          await blob.close();
          throw error;
        }
      },
    };
  },
};

/** learn.microsoft.com/rest/api/storageservices/get-blob-properties */
export const blobProperties: BlobOperation = {
  effect: 'read',
  body: noBody,
  conditions: true,
  open({ target: { at }, head }) {
    const conditions = parseConditions(head.headers);
    return {
      access: blobDataAction('read', at.scope),
      serve: async (_exchange, { store }) => {
        const blob = await store.properties(at);
        if (evaluateRead(conditions, blob) === 'not-modified') return notModified(blob);
        return { status: 200, headers: blobHeaders(blob, null) };
      },
    };
  },
};

/** learn.microsoft.com/rest/api/storageservices/get-blob-metadata */
export const blobMetadata: BlobOperation = {
  effect: 'read',
  body: noBody,
  conditions: true,
  open({ target: { at }, head }) {
    const conditions = parseConditions(head.headers);
    return {
      access: blobDataAction('read', at.scope),
      serve: async (_exchange, { store }) => {
        const blob = await store.properties(at);
        if (evaluateRead(conditions, blob) === 'not-modified') return notModified(blob);
        return emptyReply(200, { ...versionHeaders(blob), ...metadataHeaders(blob.metadata) });
      },
    };
  },
};

async function contentReply(blob: OpenBlob, asked: AskedRange | null): Promise<Reply> {
  const { properties } = blob;
  const range = asked === null ? null : resolveRange(asked, properties.size);
  const headers = blobHeaders(properties, range);
  if (properties.size === 0) {
    await blob.close();
    return { status: 200, headers };
  }
  const { start, end } = range ?? { start: 0, end: properties.size - 1 };
  return { status: range === null ? 200 : 206, headers, body: blob.read(start, end) };
}

function notModified(blob: BlobProperties): Reply {
  return { status: 304, headers: { ...versionHeaders(blob), 'x-ms-error-code': 'ConditionNotMet' } };
}
