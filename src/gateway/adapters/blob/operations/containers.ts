import { asListing } from '../attributes.ts';
import { blobDataAction, containerAction } from '../access.ts';
import { parseConditions, writePrecondition } from '../conditions.ts';
import { blobFailure } from '../errors.ts';
import { checkPrefix, scopeOfListing } from '../names.ts';
import { noBody, type ContainerOperation } from '../operation.ts';
import { markerOf, parseInclude, parseMarker, parseMaxResults } from '../paging.ts';
import { emptyReply, httpDate, metadataHeaders, versionHeaders, xmlReply } from '../replies.ts';
import { metadataOf } from '../request-headers.ts';
import type { BlobProperties, Entry } from '../store.ts';
import { element, type Element } from '../xml.ts';
import { whileLive } from '../while-live.ts';
import { metadataElement, serviceEndpoint } from './elements.ts';

/** learn.microsoft.com/rest/api/storageservices/create-container */
export const createContainer: ContainerOperation = {
  effect: 'change',
  body: noBody,
  metadata: true,
  open({ target: { at }, head }) {
    const metadata = metadataOf(head.headers);
    return {
      access: containerAction('write', at.scope),
      serve: async ({ attribution }, { store }) =>
        emptyReply(201, versionHeaders(await store.createContainer(attribution, at, metadata))),
    };
  },
};

/** learn.microsoft.com/rest/api/storageservices/get-container-properties */
export const containerProperties: ContainerOperation = {
  effect: 'read',
  body: noBody,
  open({ target: { at } }) {
    return {
      access: containerAction('read', at.scope),
      serve: async (_exchange, { store }) => {
        const container = await store.container(at);
        return emptyReply(200, {
          ...versionHeaders(container),
          ...metadataHeaders(container.metadata),
          'x-ms-lease-status': 'unlocked',
          'x-ms-lease-state': 'available',
          'x-ms-has-immutability-policy': 'false',
          'x-ms-has-legal-hold': 'false',
        });
      },
    };
  },
};

/** The container and all that is in it. learn.microsoft.com/rest/api/storageservices/delete-container */
export const deleteContainer: ContainerOperation = {
  effect: 'change',
  body: noBody,
  conditions: true,
  open({ target: { at }, head }) {
    const precondition = writePrecondition(parseConditions(head.headers));
    return {
      access: { ...containerAction('delete', at.scope), subtree: true },
      serve: async (exchange, { store }) => {
        await store.deleteContainer(exchange.attribution, at, whileLive(exchange, precondition));
        return emptyReply(202);
      },
    };
  },
};

/** Kinds of entries that cannot exist here may be asked for: the truthful answer is that there are none. */
const includable = [
  'metadata',
  'copy',
  'snapshots',
  'versions',
  'deleted',
  'deletedwithversions',
  'tags',
  'immutabilitypolicy',
  'legalhold',
];

/**
 * Decided at the folder that the prefix names, so a grant on a prefix is enough to list beneath it.
 * learn.microsoft.com/rest/api/storageservices/list-blobs
 */
export const listBlobs: ContainerOperation = {
  effect: 'read',
  body: noBody,
  query: ['prefix', 'delimiter', 'marker', 'maxresults', 'include'],
  open({ target: { at, account }, head, query }) {
    const prefix = checkPrefix(query.get('prefix') ?? '');
    const delimiter = query.get('delimiter') ?? '';
    if (delimiter.length > 64)
      throw blobFailure('InvalidQueryParameterValue', "The 'delimiter' is too long.");
    const limit = parseMaxResults(query);
    const from = parseMarker(query);
    const withMetadata = parseInclude(query, includable).has('metadata');
    return {
      access: asListing(
        blobDataAction('read', scopeOfListing(account.scope, at.container, prefix)),
        prefix,
        delimiter,
      ),
      serve: async (_exchange, { store }) => {
        const { entries, next } = await store.listBlobs(at, { prefix, delimiter, from, limit });
        return xmlReply(
          element(
            'EnumerationResults',
            [
              element('Prefix', prefix),
              element('Marker', query.get('marker') ?? ''),
              element('MaxResults', limit),
              ...(delimiter === '' ? [] : [element('Delimiter', delimiter)]),
              element(
                'Blobs',
                entries.map((entry) => entryElement(entry, withMetadata)),
              ),
              element('NextMarker', markerOf(next)),
            ],
            { ServiceEndpoint: serviceEndpoint(head, account), ContainerName: at.container },
          ),
        );
      },
    };
  },
};

function entryElement(entry: Entry, withMetadata: boolean): Element {
  if (entry.kind === 'prefix') return element('BlobPrefix', [element('Name', entry.prefix)]);
  const { blob } = entry;
  return element('Blob', [
    element('Name', blob.name),
    element('Properties', propertyElements(blob)),
    ...(withMetadata ? [metadataElement(blob.metadata)] : []),
  ]);
}

function propertyElements(blob: BlobProperties): Element[] {
  const { contentHeaders: content } = blob;
  return [
    element('Creation-Time', httpDate(blob.createdAt)),
    element('Last-Modified', httpDate(blob.updatedAt)),
    element('Etag', blob.etag),
    element('Content-Length', blob.size),
    element('Content-Type', content.contentType ?? 'application/octet-stream'),
    element('Content-Encoding', content.contentEncoding ?? ''),
    element('Content-Language', content.contentLanguage ?? ''),
    element('Content-MD5', blob.md5 ?? ''),
    element('Content-Disposition', content.contentDisposition ?? ''),
    element('Cache-Control', content.cacheControl ?? ''),
    element('BlobType', 'BlockBlob'),
    element('LeaseStatus', 'unlocked'),
    element('LeaseState', 'available'),
    element('ServerEncrypted', 'false'),
  ];
}
