import {
  administratorLink,
  administratorSignInName,
  firstAdministrator,
} from './composition/first-administrator.ts';
import { createFoundation, type Foundation } from './composition/foundation.ts';
import { createInitialWorkspace } from './composition/initial-workspace.ts';
import type { Config } from './config/load.ts';
import { OneTimeLinks } from './identity/signin/one-time-links.ts';
import { newGuid } from './lib/ids.ts';
import type { Log } from './lib/log.ts';
import { roleIds } from './policy/built-in-roles.ts';
import { systemAttribution } from './store/changes.ts';
import { putRoleAssignment } from './store/role-assignments.ts';

export interface Initialised {
  /** False when the state was there already; then nothing was changed. */
  readonly created: boolean;
  /** Signs the first administrator in once, within 15 minutes, when the server runs; null when nothing was created. */
  readonly adminLink: string | null;
}

/**
 * Creates the state of a new installation in the home directory: keys, tables, the first administrator (Owner of
 * everything), a workspace with its storage. Interrupted, it goes on where it was; done before, it changes nothing.
 */
export async function initialise(config: Config, log: Log): Promise<Initialised> {
  const foundation = await createFoundation(config, log);
  try {
    if (await isDone(foundation)) return { created: false, adminLink: null };
    await createInitialWorkspace(config, foundation, log);
    await appointAdministrator(foundation);
    await foundation.store.db.insertInto('meta').values({ key: 'initialised', value: '1' }).execute();
    const links = new OneTimeLinks({
      db: foundation.store.db,
      commit: foundation.ledger.commit,
      clock: foundation.clock,
    });
    const publicUrl = config.publicUrl ?? `https://localhost:${config.listen.port}`;
    return { created: true, adminLink: await administratorLink(foundation, links, publicUrl) };
  } finally {
    await foundation.close();
  }
}

async function isDone(foundation: Foundation): Promise<boolean> {
  const { db } = foundation.store;
  return (
    (await db.selectFrom('meta').select('key').where('key', '=', 'initialised').executeTakeFirst()) !==
    undefined
  );
}

/** Creates the account if an interrupted start has not, and makes it Owner at the root. */
async function appointAdministrator(foundation: Foundation): Promise<void> {
  const { clock, directory, ledger, store, tenantId } = foundation;
  const by = systemAttribution(tenantId, 'init');
  const principalId =
    (await firstAdministrator(foundation)) ??
    (
      await directory.createUser(by, {
        displayName: 'Administrator',
        userPrincipalName: administratorSignInName,
      })
    ).id;
  const held = await store.db
    .selectFrom('role_assignments')
    .select('id')
    .where('principal_id', '=', principalId)
    .executeTakeFirst();
  if (held !== undefined) return;
  await ledger.commit(by, (tx, record) =>
    putRoleAssignment(tx, record, {
      id: newGuid(),
      scope: '/',
      roleDefinitionId: roleIds.owner,
      principalId,
      principalType: 'User',
      description: 'The first administrator, appointed when this installation was made.',
      createdOn: new Date(clock.now()).toISOString(),
      createdBy: 'init',
    }),
  );
}
