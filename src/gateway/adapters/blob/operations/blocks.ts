import { createHash } from 'node:crypto';
import { blobDataAction } from '../access.ts';
import { checkBlockId, parseBlockList } from '../block-list-document.ts';
import { parseConditions, writePrecondition } from '../conditions.ts';
import { blobFailure } from '../errors.ts';
import { noBody, type BlobOperation } from '../operation.ts';
import { emptyReply, versionHeaders, xmlReply } from '../replies.ts';
import {
  announcedLength,
  announcedMd5,
  contentHeaderNames,
  givenContentHeaders,
  metadataOf,
} from '../request-headers.ts';
import type { Block } from '../store.ts';
import { element, type Element } from '../xml.ts';
import { uploadOf, whileLive } from '../while-live.ts';
import { writtenHeaders } from './written.ts';

/** learn.microsoft.com/rest/api/storageservices/put-block#remarks: 4,000 MiB. */
const maxBlockBytes = 4000 * 1024 * 1024;
/** 50,000 entries of the longest id and tag, with room for white space. */
const maxBlockListBytes = 8 * 1024 * 1024;

/** learn.microsoft.com/rest/api/storageservices/put-block */
export const putBlock: BlobOperation = {
  effect: 'change',
  body: { kind: 'streamed', maxBytes: maxBlockBytes },
  query: ['blockid'],
  open({ target: { at }, head: { headers }, query }) {
    const id = query.get('blockid');
    if (id === undefined) {
      throw blobFailure('MissingRequiredQueryParameter', "The query parameter 'blockid' is missing.");
    }
    checkBlockId(id);
    const md5 = announcedMd5(headers, 'content-md5');
    return {
      access: blobDataAction('write', at.scope),
      serve: async (exchange, { store }) => {
        await store.putBlock(at, id, uploadOf(exchange, announcedLength(headers), md5));
        return emptyReply(201, {
          'x-ms-request-server-encrypted': 'false',
          ...(md5 === null ? {} : { 'content-md5': md5 }),
        });
      },
    };
  },
};

/** learn.microsoft.com/rest/api/storageservices/put-block-list */
export const putBlockList: BlobOperation = {
  effect: 'change',
  body: {
    kind: 'buffered',
    maxBytes: maxBlockListBytes,
    mediaTypes: ['*/*'],
  },
  headers: contentHeaderNames,
  metadata: true,
  conditions: true,
  open({ target: { at }, head: { headers } }) {
    const md5 = announcedMd5(headers, 'x-ms-blob-content-md5');
    const documentMd5 = announcedMd5(headers, 'content-md5');
    const details = { contentHeaders: givenContentHeaders(headers), metadata: metadataOf(headers) };
    const precondition = writePrecondition(parseConditions(headers), true);
    return {
      access: blobDataAction('write', at.scope),
      serve: async (exchange, { store }) => {
        const { bytes } = exchange;
        if (documentMd5 !== null && createHash('md5').update(bytes).digest('base64') !== documentMd5) {
          throw blobFailure('Md5Mismatch', 'The block list that arrived does not have the MD5 announced.');
        }
        const blob = await store.putBlockList(exchange.attribution, at, parseBlockList(bytes), md5, {
          ...details,
          precondition: whileLive(exchange, precondition),
        });
        return emptyReply(201, writtenHeaders(blob));
      },
    };
  },
};

/** learn.microsoft.com/rest/api/storageservices/get-block-list */
export const getBlockList: BlobOperation = {
  effect: 'read',
  body: noBody,
  query: ['blocklisttype'],
  open({ target: { at }, query }) {
    const which = query.get('blocklisttype') ?? 'committed';
    if (which !== 'committed' && which !== 'uncommitted' && which !== 'all') {
      throw blobFailure('InvalidQueryParameterValue', "'blocklisttype' is committed, uncommitted or all.");
    }
    return {
      access: blobDataAction('read', at.scope),
      serve: async (_exchange, { store }) => {
        const { properties, committed, uncommitted } = await store.blockList(at);
        return xmlReply(
          element('BlockList', [
            ...(which === 'uncommitted' ? [] : [blocksElement('CommittedBlocks', committed)]),
            ...(which === 'committed' ? [] : [blocksElement('UncommittedBlocks', uncommitted)]),
          ]),
          {
            ...(properties === null ? {} : versionHeaders(properties)),
            'x-ms-blob-content-length': String(properties?.size ?? 0),
          },
        );
      },
    };
  },
};

function blocksElement(name: string, blocks: readonly Block[]): Element {
  return element(
    name,
    blocks.map(({ id, size }) => element('Block', [element('Name', id), element('Size', size)])),
  );
}
