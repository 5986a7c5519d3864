import type { Readable } from 'node:stream';

/** What a blob or container is called, and the scope at which access to it was decided. */
export interface ContainerAddress {
  readonly account: string;
  readonly container: string;
  readonly scope: string;
}

export interface BlobAddress extends ContainerAddress {
  readonly name: string;
}

/** Names and values in the order given. Pairs, so that no name can be mistaken for a member of an object. */
export type Metadata = readonly (readonly [name: string, value: string])[];

/** As the uploader gave them; null where not. */
export interface ContentHeaders {
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly contentLanguage: string | null;
  readonly contentDisposition: string | null;
  readonly cacheControl: string | null;
}

/** What conditions are evaluated against. Times are milliseconds since the epoch. */
export interface Version {
  /** Without quotes. */
  readonly etag: string;
  readonly updatedAt: number;
}

/** Throws to refuse; called in the transaction that would change what it was shown (null: there is nothing). */
export type Precondition = (current: Version | null) => void;

export interface ContainerProperties extends Version {
  readonly name: string;
  readonly metadata: Metadata;
}

export interface BlobProperties extends Version {
  readonly name: string;
  readonly size: number;
  /** Base64; null when nobody gave one. */
  readonly md5: string | null;
  readonly contentHeaders: ContentHeaders;
  readonly metadata: Metadata;
  readonly createdAt: number;
}

export interface Block {
  /** Base64, as the uploader spelt it. */
  readonly id: string;
  readonly size: number;
}

/** What a writer gives along with the bytes. */
export interface Details {
  readonly contentHeaders: ContentHeaders;
  readonly metadata: Metadata;
  readonly precondition: Precondition;
}

/** One entry of a block list, in the order of the blob. */
export interface BlockChoice {
  readonly from: 'committed' | 'uncommitted' | 'latest';
  readonly id: string;
}

/** Blobs that are open for reading: the content stays as it was, whatever is written meanwhile. */
export interface OpenBlob {
  readonly properties: BlobProperties;
  /** Bytes `start` to `end`, both included. To be called once; the stream closes the file when it ends or is destroyed. */
  read(start: number, end: number): Readable;
  /** For whoever does not read. */
  close(): Promise<void>;
}
