import type { Clock } from '../../../lib/clock.ts';
import type { Reply, RequestHead } from '../../types.ts';
import type { ByteRange } from './ranges.ts';
import type { BlobProperties, Metadata, Version } from './store.ts';
import { xmlDocument, type Element } from './xml.ts';

type Headers = Readonly<Record<string, string>>;

/** The version that is answered when the client names none in a form that can be echoed. */
const ownVersion = '2026-10-06';

/** What every answer of Blob carries. */
export function commonHeaders(head: RequestHead, clock: Clock): Headers {
  const version = head.headers['x-ms-version'];
  const clientRequestId = head.headers['x-ms-client-request-id'];
  return {
    date: httpDate(clock.now()),
    'x-ms-request-id': head.id,
    'x-ms-version': typeof version === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(version) ? version : ownVersion,
    ...(typeof clientRequestId === 'string' && /^[\u0021-\u007e]{1,1024}$/.test(clientRequestId)
      ? { 'x-ms-client-request-id': clientRequestId }
      : {}),
    'x-content-type-options': 'nosniff',
  };
}

export function xmlReply(root: Element, headers: Headers = {}): Reply {
  const body = Buffer.from(xmlDocument(root));
  return {
    status: 200,
    headers: { ...headers, 'content-type': 'application/xml', 'content-length': String(body.length) },
    body,
  };
}

/** An answer without a body. */
export function emptyReply(status: number, headers: Headers = {}): Reply {
  return { status, headers: { ...headers, 'content-length': '0' } };
}

export function versionHeaders(version: Version): Headers {
  return { etag: `"${version.etag}"`, 'last-modified': httpDate(version.updatedAt) };
}

export function metadataHeaders(metadata: Metadata): Headers {
  return Object.fromEntries(metadata.map(([name, value]) => [`x-ms-meta-${name}`, value]));
}

/** Everything that Get Blob and Get Blob Properties say of a blob. `range` is null for the whole of it. */
export function blobHeaders(blob: BlobProperties, range: ByteRange | null): Headers {
  const { contentHeaders: content, md5 } = blob;
  const length = range === null ? blob.size : range.end - range.start + 1;
  return {
    ...versionHeaders(blob),
    ...metadataHeaders(blob.metadata),
    'content-type': content.contentType ?? 'application/octet-stream',
    ...given('content-encoding', content.contentEncoding),
    ...given('content-language', content.contentLanguage),
    ...given('content-disposition', content.contentDisposition),
    ...given('cache-control', content.cacheControl),
    ...given(range === null ? 'content-md5' : 'x-ms-blob-content-md5', md5),
    ...(range === null ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${blob.size}` }),
    'content-length': String(length),
    'accept-ranges': 'bytes',
    'x-ms-blob-type': 'BlockBlob',
    'x-ms-creation-time': httpDate(blob.createdAt),
    'x-ms-lease-status': 'unlocked',
    'x-ms-lease-state': 'available',
    'x-ms-server-encrypted': 'false',
    'content-security-policy': "sandbox; default-src 'none'",
  };
}

/** IMF-fixdate. RFC 9110 §5.6.7. */
export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

function given(name: string, value: string | null): Headers {
  return value === null ? {} : { [name]: value };
}
