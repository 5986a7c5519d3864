import type { Attribution } from '../../store/changes.ts';
import type { ContainerAddress, ContainerProperties, Metadata, Precondition } from './model.ts';
import { refuse } from './refusals.ts';
import { containerProperties, findContainer, newEtag, requireContainer } from './rows.ts';
import type { Writing } from './write-row.ts';

/** Throws ContainerAlreadyExists. */
export async function createContainer(
  writing: Writing,
  by: Attribution,
  at: ContainerAddress,
  metadata: Metadata,
): Promise<ContainerProperties> {
  return writing.commit(by, async (tx, record) => {
    if ((await findContainer(tx, at)) !== null) throw refuse('ContainerAlreadyExists');
    const row = {
      account: at.account,
      name: at.container,
      etag: newEtag(),
      created_at: writing.now(),
      metadata_json: JSON.stringify(metadata),
    };
    await tx.insertInto('blob_containers').values(row).execute();
    record({ kind: 'container.created', scope: at.scope });
    return containerProperties(row);
  });
}

/** The container and everything in it. */
export async function deleteContainer(
  writing: Writing,
  by: Attribution,
  at: ContainerAddress,
  precondition: Precondition,
): Promise<void> {
  const obsolete = await writing.commit(by, async (tx, record) => {
    const { etag, created_at } = await requireContainer(tx, at);
    precondition({ etag, updatedAt: created_at });
    const files: string[] = [];
    for (const table of ['blob_blocks', 'blobs'] as const) {
      const rows = await tx
        .deleteFrom(table)
        .where('account', '=', at.account)
        .where('container', '=', at.container)
        .returning('file')
        .execute();
      for (const row of rows) files.push(row.file);
    }
    await tx
      .deleteFrom('blob_containers')
      .where('account', '=', at.account)
      .where('name', '=', at.container)
      .execute();
    record({ kind: 'container.deleted', scope: at.scope });
    return files;
  });
  await writing.files.remove(obsolete);
}
