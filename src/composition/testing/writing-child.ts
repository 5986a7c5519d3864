// node writing-child.ts HOME SIGNING_KEY COUNT: a process that changes policy, and tells each revision as it is durable.
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { Directory } from '../../identity/directory/directory.ts';
import { openLedger } from '../../ledger/open-ledger.ts';
import { createSigner } from '../../ledger/note.ts';
import { attribution, decidedFact, origin, tenantId } from '../../ledger/testing/ledger-fixture.ts';
import { openSqliteStore } from '../../store/sqlite.ts';
import { putRoleAssignment } from '../../store/role-assignments.ts';

const [home = '', signingKey = '', count = '0'] = process.argv.slice(2);
const store = await openSqliteStore({ path: join(home, 'lockstep.db'), dangerouslyNotDurable: true });
const ledger = await openLedger({
  store,
  directory: join(home, 'ledger'),
  origin,
  signer: createSigner(signingKey),
  clock: systemClock,
  log: createLog('silent'),
  productVersion: '0.0.0-test',
  tenantId,
});
const directory = new Directory({ store, commit: ledger.commit, clock: systemClock, tenantId });
const by = attribution();
for (let i = 0; i < Number(count); i++) {
  const group = await directory.createGroup(by, { displayName: `group ${i}` });
  // Events that change nothing stand between the changes.
  await ledger.record(decidedFact());
  await ledger.commit(by, (tx, record) =>
    putRoleAssignment(tx, record, {
      id: randomUUID(),
      scope: '/subscriptions/s',
      roleDefinitionId: '33333333-0000-4000-8000-000000000001',
      principalId: group.id,
      principalType: 'Group',
      description: '',
      createdOn: '2026-01-01T00:00:00.000Z',
      createdBy: 'test',
    }),
  );
  writeSync(1, `${JSON.stringify({ revision: ledger.lastSequence(), group: group.id, at: Date.now() })}\n`);
}
await ledger.close();
await store.close();
