import type { IncomingHttpHeaders } from 'node:http';
import { blobFailure } from './errors.ts';
import type { ContentHeaders, Metadata } from './store.ts';

const metadataPrefix = 'x-ms-meta-';
const maxMetadataBytes = 8 * 1024;

/**
 * `x-ms-meta-*`. Names are case-insensitive and kept in lower case; they follow C# identifiers.
 * Throws InvalidMetadata and MetadataTooLarge.
 */
export function metadataOf(headers: IncomingHttpHeaders): Metadata {
  const metadata: (readonly [string, string])[] = [];
  let bytes = 0;
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith(metadataPrefix) || typeof value !== 'string') continue;
    const name = header.slice(metadataPrefix.length);
    if (!/^[a-z_][a-z0-9_]*$/.test(name)) {
      throw blobFailure(
        'InvalidMetadata',
        'A metadata name is a letter or underscore, then letters, digits, underscores.',
      );
    }
    bytes += name.length + value.length;
    metadata.push([name, value]);
  }
  if (bytes > maxMetadataBytes) throw blobFailure('MetadataTooLarge', 'Metadata is at most 8 KiB.');
  return metadata;
}

export const contentHeaderNames = [
  'x-ms-blob-content-type',
  'x-ms-blob-content-encoding',
  'x-ms-blob-content-language',
  'x-ms-blob-content-disposition',
  'x-ms-blob-cache-control',
  'x-ms-blob-content-md5',
] as const;

/** The blob's own content headers as `x-ms-blob-…` gives them. */
export function givenContentHeaders(headers: IncomingHttpHeaders): ContentHeaders {
  return {
    contentType: text(headers['x-ms-blob-content-type']),
    contentEncoding: text(headers['x-ms-blob-content-encoding']),
    contentLanguage: text(headers['x-ms-blob-content-language']),
    contentDisposition: text(headers['x-ms-blob-content-disposition']),
    cacheControl: text(headers['x-ms-blob-cache-control']),
  };
}

/** For Put Blob the request's own content headers stand in where `x-ms-blob-…` is not given. */
export function putContentHeaders(headers: IncomingHttpHeaders): ContentHeaders {
  const given = givenContentHeaders(headers);
  return {
    contentType: given.contentType ?? text(headers['content-type']),
    contentEncoding: given.contentEncoding ?? text(headers['content-encoding']),
    contentLanguage: given.contentLanguage ?? text(headers['content-language']),
    contentDisposition: given.contentDisposition,
    cacheControl: given.cacheControl ?? text(headers['cache-control']),
  };
}

/** An announced MD5, base64 of 16 bytes; null when there is none. Throws InvalidMd5. */
export function announcedMd5(headers: IncomingHttpHeaders, ...names: readonly string[]): string | null {
  let md5: string | null = null;
  for (const name of names) {
    const value = text(headers[name]);
    if (value === null) continue;
    const bytes = Buffer.from(value, 'base64');
    if (bytes.length !== 16 || bytes.toString('base64') !== value) {
      throw blobFailure('InvalidMd5', `The value of ${name} is not the base64 of an MD5.`);
    }
    if (md5 !== null && md5 !== value) throw blobFailure('Md5Mismatch', 'Two different MD5s are announced.');
    md5 = value;
  }
  return md5;
}

/** Announced length of the body; null when it is chunked. */
export function announcedLength(headers: IncomingHttpHeaders): number | null {
  const value = headers['content-length'];
  return value === undefined ? null : Number(value);
}

function text(value: string | readonly string[] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
