import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../lib/clock.ts';
import type { DecisionId, RequestId, TenantId } from '../../lib/ids.ts';
import { createLog } from '../../lib/log.ts';
import type { Attribution } from '../../store/changes.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import type { RequestFact } from '../events.ts';
import type { Ledger, LedgerOptions } from '../ledger.ts';
import { openLedger } from '../open-ledger.ts';
import { createSigner, generateNoteKey, type NoteSigner } from '../note.ts';

export const tenantId = '11111111-1111-4111-8111-111111111111' as TenantId;
export const origin = `lockstep.test/${tenantId}`;

/** A ledger over a real database in a directory of its own; reopened with the same key. */
export class LedgerFixture {
  readonly home: string = mkdtempSync(join(tmpdir(), 'lockstep-ledger-'));
  readonly clock = new ManualClock(1_770_000_000_000);
  readonly signer: NoteSigner;

  constructor(signingKey: string = generateNoteKey(origin).signingKey) {
    this.signer = createSigner(signingKey);
  }

  get logDirectory(): string {
    return join(this.home, 'ledger');
  }

  async open(options: Partial<LedgerOptions> = {}): Promise<{ ledger: Ledger; store: Store }> {
    const store = options.store ?? (await openSqliteStore({ path: join(this.home, 'lockstep.db') }));
    try {
      const ledger = await openLedger({
        store,
        directory: this.logDirectory,
        origin,
        signer: this.signer,
        clock: this.clock,
        log: createLog('silent'),
        productVersion: '0.0.0-test',
        tenantId,
        publishIntervalMilliseconds: 20,
        ...options,
      });
      return { ledger, store };
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

export function attribution(more: Partial<Attribution> = {}): Attribution {
  return {
    tenantId,
    chain: [{ kind: 'user', id: '22222222-2222-4222-8222-222222222222', name: 'Ada' }],
    requestId: 'req_test' as RequestId,
    correlationId: null,
    sourceAddress: '127.0.0.1',
    sessionId: null,
    leaseId: null,
    tokenId: 'uti-1',
    decisionId: 'dec_test' as DecisionId,
    policyId: 'roleAssignment:33333333-3333-4333-8333-333333333333',
    snapshotVersion: 7,
    ...more,
  };
}

export function decidedFact(
  more: Partial<Extract<RequestFact, { kind: 'request.decided' }>> = {},
): RequestFact {
  return {
    kind: 'request.decided',
    attribution: attribution(),
    surface: 'arm',
    operation: 'Microsoft.MachineLearningServices/workspaces/jobs/read',
    effect: 'read',
    method: 'GET',
    path: '/subscriptions/s/resourceGroups/g',
    allowed: true,
    reason: 'role-assignment',
    decidedFor: null,
    authorities: ['22222222-2222-4222-8222-222222222222'],
    action: 'Microsoft.MachineLearningServices/workspaces/jobs/read',
    dataAction: false,
    scope: '/subscriptions/s/resourcegroups/g',
    attributes: {},
    subOperation: null,
    userAgent: 'test/1.0',
    ...more,
  };
}
