import { containerAction, serviceRead } from '../access.ts';
import { noBody, type ServiceOperation } from '../operation.ts';
import { markerOf, parseInclude, parseMarker, parseMaxResults } from '../paging.ts';
import { httpDate, xmlReply } from '../replies.ts';
import type { ContainerProperties } from '../store.ts';
import { element, type Element } from '../xml.ts';
import { metadataElement, serviceEndpoint } from './elements.ts';

/** learn.microsoft.com/rest/api/storageservices/list-containers2 */
export const listContainers: ServiceOperation = {
  effect: 'read',
  body: noBody,
  query: ['prefix', 'marker', 'maxresults', 'include'],
  open({ target: { account }, head, query }) {
    const prefix = query.get('prefix') ?? '';
    const limit = parseMaxResults(query);
    const from = parseMarker(query);
    const include = parseInclude(query, ['metadata', 'deleted', 'system']);
    return {
      access: containerAction('read', account.scope),
      serve: async (_exchange, { store }) => {
        const { containers, next } = await store.listContainers(account.name, { prefix, from, limit });
        return xmlReply(
          element(
            'EnumerationResults',
            [
              element('Prefix', prefix),
              element('Marker', query.get('marker') ?? ''),
              element('MaxResults', limit),
              element(
                'Containers',
                containers.map((container) => containerElement(container, include.has('metadata'))),
              ),
              element('NextMarker', markerOf(next)),
            ],
            { ServiceEndpoint: serviceEndpoint(head, account) },
          ),
        );
      },
    };
  },
};

/**
 * What holds here, and cannot be changed: no logging, metrics or CORS of the store's own, nothing kept after a delete.
 * learn.microsoft.com/rest/api/storageservices/get-blob-service-properties
 */
export const serviceProperties: ServiceOperation = {
  effect: 'read',
  body: noBody,
  open({ target: { account } }) {
    return {
      access: serviceRead(account.scope),
      serve: async () =>
        xmlReply(
          element('StorageServiceProperties', [
            element('Logging', [
              element('Version', '1.0'),
              element('Delete', 'false'),
              element('Read', 'false'),
              element('Write', 'false'),
              element('RetentionPolicy', [element('Enabled', 'false')]),
            ]),
            metrics('HourMetrics'),
            metrics('MinuteMetrics'),
            element('Cors'),
            element('DeleteRetentionPolicy', [element('Enabled', 'false')]),
            element('StaticWebsite', [element('Enabled', 'false')]),
          ]),
        ),
    };
  },
};

function metrics(name: string): Element {
  return element(name, [
    element('Version', '1.0'),
    element('Enabled', 'false'),
    element('RetentionPolicy', [element('Enabled', 'false')]),
  ]);
}

function containerElement(container: ContainerProperties, withMetadata: boolean): Element {
  return element('Container', [
    element('Name', container.name),
    element('Properties', [
      element('Last-Modified', httpDate(container.updatedAt)),
      element('Etag', `"${container.etag}"`),
      element('LeaseStatus', 'unlocked'),
      element('LeaseState', 'available'),
      element('HasImmutabilityPolicy', 'false'),
      element('HasLegalHold', 'false'),
    ]),
    ...(withMetadata ? [metadataElement(container.metadata)] : []),
  ]);
}
