import type { Readable } from 'node:stream';
import type { Attribution } from '../../../store/changes.ts';

/**
 * What the adapter needs of a store of blobs. Addresses carry the scope that was decided on, so what is recorded is
 * what was decided. A refusal is a LockstepError whose `details.blobCode` is one of Blob's error codes.
 */
export interface BlobStore {
  listContainers(
    account: string,
    page: Page,
  ): Promise<{ readonly containers: readonly ContainerProperties[]; readonly next: string | null }>;
  container(at: ContainerAddress): Promise<ContainerProperties>;
  createContainer(by: Attribution, at: ContainerAddress, metadata: Metadata): Promise<ContainerProperties>;
  deleteContainer(by: Attribution, at: ContainerAddress, precondition: Precondition): Promise<void>;

  listBlobs(
    at: ContainerAddress,
    page: BlobPage,
  ): Promise<{ readonly entries: readonly Entry[]; readonly next: string | null }>;
  properties(at: BlobAddress): Promise<BlobProperties>;
  open(at: BlobAddress): Promise<OpenBlob>;
  put(by: Attribution, at: BlobAddress, upload: Upload, details: Details): Promise<BlobProperties>;
  setMetadata(
    by: Attribution,
    at: BlobAddress,
    metadata: Metadata,
    precondition: Precondition,
  ): Promise<BlobProperties>;
  setContentHeaders(
    by: Attribution,
    at: BlobAddress,
    headers: ContentHeaders,
    md5: string | null,
    precondition: Precondition,
  ): Promise<BlobProperties>;
  delete(by: Attribution, at: BlobAddress, precondition: Precondition): Promise<void>;

  putBlock(at: BlobAddress, id: string, upload: Upload): Promise<void>;
  putBlockList(
    by: Attribution,
    at: BlobAddress,
    choices: readonly BlockChoice[],
    md5: string | null,
    details: Details,
  ): Promise<BlobProperties>;
  blockList(at: BlobAddress): Promise<{
    readonly properties: BlobProperties | null;
    readonly committed: readonly Block[];
    readonly uncommitted: readonly Block[];
  }>;
}

export interface ContainerAddress {
  readonly account: string;
  readonly container: string;
  readonly scope: string;
}

export interface BlobAddress extends ContainerAddress {
  readonly name: string;
}

/** Names (lower case) and values, in the order given. */
export type Metadata = readonly (readonly [name: string, value: string])[];

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

/** Throws to refuse; the store calls it in the transaction that would change what it was shown (null: nothing). */
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

export interface OpenBlob {
  readonly properties: BlobProperties;
  /** Bytes `start` to `end`, both included. To be called once; the stream closes the file. */
  read(start: number, end: number): Readable;
  /** For whoever does not read. */
  close(): Promise<void>;
}

export interface Upload {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Announced length; null when none was. */
  readonly bytes: number | null;
  /** Announced MD5 in base64, to be verified; null when none was. */
  readonly md5: string | null;
}

export interface Details {
  readonly contentHeaders: ContentHeaders;
  readonly metadata: Metadata;
  readonly precondition: Precondition;
}

export interface Block {
  readonly id: string;
  readonly size: number;
}

export interface BlockChoice {
  readonly from: 'committed' | 'uncommitted' | 'latest';
  readonly id: string;
}

export interface Page {
  readonly prefix: string;
  /** Entries at or after this name; never widens what `prefix` admits. */
  readonly from: string;
  readonly limit: number;
}

export interface BlobPage extends Page {
  /** Empty for none. */
  readonly delimiter: string;
}

export type Entry =
  | { readonly kind: 'blob'; readonly blob: BlobProperties }
  | { readonly kind: 'prefix'; readonly prefix: string };
