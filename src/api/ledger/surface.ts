import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, LockstepError } from '../../lib/errors.ts';
import type { Described, Reply, RequestHead, Surface } from '../../gateway/types.ts';
import { renderAdminError } from '../admin/errors.ts';
import { ownAccess, ownAction } from '../own-actions.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { parseTilePath } from '../../ledger/tlog/tile.ts';

export interface LedgerSurfaceOptions {
  readonly ledger: Pick<Ledger, 'verifierKeys' | 'keyHistory' | 'policy'>;
  /** Where the ledger publishes its checkpoint and tiles. */
  readonly directory: string;
}

/** Beside tiles. */
const otherPaths: ReadonlySet<string> = new Set(['checkpoint', 'key', 'key-history', 'policy', 'retention']);
const prefix = '/ledger/';
const scope = '/providers/lockstep.access/ledger';

/**
 * The log, for auditors and witnesses: `/ledger/checkpoint` and `/ledger/tile/…` (c2sp.org/tlog-tiles), and what to check
 * them with: its keys at `/ledger/key`, a line each, what leads from one to the next at `/ledger/key-history`, and its
 * keys, witnesses and quorum at `/ledger/policy` (c2sp.org/tlog-policy), and what it says of a beginning that it does not
 * keep at `/ledger/retention`. Read only; a path that is not in the specification's grammar is unknown.
 * Checkpoints and hashes are public: they prove, and tell nothing. The entries name people and what they did, so
 * `/ledger/tile/entries/…` needs `Lockstep.Access/events/read`.
 */
export function ledgerSurface(options: LedgerSurfaceOptions): Surface {
  return {
    name: 'ledger',
    matches: (head) => head.path === '/ledger' || head.path.startsWith(prefix),
    audiences: ['api://lockstep', 'api://lockstep/'],
    acceptsSessionCookie: false,
    describe: (head) => describe(options, head),
    renderError: renderAdminError,
  };
}

function describe({ ledger, directory }: LedgerSurfaceOptions, head: RequestHead): Described | null {
  if (!head.path.startsWith(prefix)) return null;
  const path = head.path.slice(prefix.length);
  const parsed = parseTilePath(path);
  const isTile = parsed !== null;
  const isEntries = parsed?.level === 'entries';
  if (!isTile && !otherPaths.has(path)) return null;
  if (head.method !== 'GET' && head.method !== 'HEAD') {
    throw failure('method_not_allowed', 'The log can only be read.', { allow: ['GET', 'HEAD'] });
  }
  const operation = isTile ? 'tile' : path;
  return {
    operation: isEntries ? ownAccess('events/read').action : `ledger/${operation}/read`,
    guard: isEntries ? ownAction('events/read') : { kind: 'public', rule: 'public-ledger', scope },
    effect: 'read',
    body: { kind: 'none' },
    serve: async () => {
      if (path === 'key') return text(200, ledger.verifierKeys.map((key) => `${key}\n`).join(''), 'no-cache');
      if (path === 'key-history') return text(200, ledger.keyHistory, 'no-cache');
      if (path === 'policy') return text(200, ledger.policy, 'no-cache');
      const bytes = await readPublished(directory, path);
      return isTile ? tile(bytes, isEntries ? 'private' : 'public') : text(200, bytes, 'public, max-age=2');
    },
  };
}

/** `path` has been checked against the grammar: it cannot leave the directory. */
async function readPublished(directory: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(join(directory, path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new LockstepError({
        code: 'not_found',
        publicMessage: 'The log has no such part.',
        cause: error,
      });
    }
    throw error;
  }
}

function tile(body: Uint8Array, who: 'private' | 'public'): Reply {
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'cache-control': `${who}, max-age=31536000, immutable`,
      'x-content-type-options': 'nosniff',
    },
    body,
  };
}

function text(status: number, body: string | Uint8Array, cacheControl: string): Reply {
  return {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': cacheControl,
      'x-content-type-options': 'nosniff',
    },
    body,
  };
}
