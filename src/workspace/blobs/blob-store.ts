import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Attribution, Commit } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import { blockList, putBlock, putBlockList } from './blocks.ts';
import { createContainer, deleteContainer } from './containers.ts';
import { ContentFiles, type Upload } from './content-files.ts';
import { listBlobs, listContainers, type BlobPage, type Page } from './listing.ts';
import type {
  BlobAddress,
  BlockChoice,
  ContainerAddress,
  ContentHeaders,
  Details,
  Metadata,
  OpenBlob,
  Precondition,
} from './model.ts';
import { changeBlob, deleteBlob, openBlob, putBlob } from './blobs.ts';
import { blobProperties, containerProperties, requireBlob, requireContainer } from './rows.ts';
import { sweep } from './sweep.ts';
import type { Writing } from './write-row.ts';

export interface BlobStoreOptions {
  readonly store: Store;
  readonly commit: Commit;
  /** Where content lives; made if absent. Lockstep's alone. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Blobs as files, their names and properties as rows. Every address carries the scope that was decided on. */
export type BlobStore = Awaited<ReturnType<typeof openBlobStore>>;

/** learn.microsoft.com/rest/api/storageservices/put-block: uncommitted blocks are discarded after a week. */
const uncommittedLifeMilliseconds = 7 * 24 * 60 * 60 * 1000;

/** Opens the store and removes what a crash may have left; no other process may write to `directory`. */
export async function openBlobStore(options: BlobStoreOptions) {
  const { store, clock } = options;
  const { db } = store;
  const files = await ContentFiles.open(options.directory);
  const writing: Writing = { store, commit: options.commit, files, now: () => clock.now() };
  const swept = await sweep(store, files, clock.now() - uncommittedLifeMilliseconds);
  if (swept.missing.length > 0) options.log.error({ files: swept.missing }, 'blob content is missing');
  if (swept.orphansRemoved > 0)
    options.log.info({ files: swept.orphansRemoved }, 'removed unfinished uploads');

  return {
    listContainers: async (account: string, page: Page) => listContainers(db, account, page),
    container: async (at: ContainerAddress) => containerProperties(await requireContainer(db, at)),
    createContainer: async (by: Attribution, at: ContainerAddress, metadata: Metadata) =>
      createContainer(writing, by, at, metadata),
    deleteContainer: async (by: Attribution, at: ContainerAddress, precondition: Precondition) =>
      deleteContainer(writing, by, at, precondition),

    listBlobs: async (at: ContainerAddress, page: BlobPage) => listBlobs(db, at, page),
    properties: async (at: BlobAddress) => blobProperties(await requireBlob(db, at)),
    open: async (at: BlobAddress): Promise<OpenBlob> => openBlob(writing, at),
    put: async (by: Attribution, at: BlobAddress, upload: Upload, details: Details) =>
      putBlob(writing, by, at, upload, details),
    setMetadata: async (by: Attribution, at: BlobAddress, metadata: Metadata, precondition: Precondition) =>
      changeBlob(writing, by, at, { metadata_json: JSON.stringify(metadata) }, precondition),
    setContentHeaders: async (
      by: Attribution,
      at: BlobAddress,
      headers: ContentHeaders,
      md5: string | null,
      precondition: Precondition,
    ) => changeBlob(writing, by, at, { content_headers_json: JSON.stringify(headers), md5 }, precondition),
    delete: async (by: Attribution, at: BlobAddress, precondition: Precondition) =>
      deleteBlob(writing, by, at, precondition),

    putBlock: async (at: BlobAddress, id: string, upload: Upload) => putBlock(writing, at, id, upload),
    putBlockList: async (
      by: Attribution,
      at: BlobAddress,
      choices: readonly BlockChoice[],
      md5: string | null,
      details: Details,
    ) => putBlockList(writing, by, at, choices, md5, details),
    blockList: async (at: BlobAddress) => blockList(db, at),
  };
}
