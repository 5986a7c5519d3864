import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Acknowledged } from './acknowledged.ts';

interface EventRow {
  readonly sequence: number;
  readonly event_id: string;
  readonly decision_id: string | null;
  readonly entry: Uint8Array;
}

/** The database as another process sees it, read between two lives of the gateway. */
export class Feed {
  readonly #home: string;
  readonly #requests = new Set<string>();
  readonly #decisions = new Set<string>();
  readonly #events = new Map<string, number>();
  #after = 0;

  constructor(home: string) {
    this.#home = home;
  }

  /** What was acknowledged before this call and is not there; nothing, if all is well. */
  missing(acknowledged: Acknowledged): string[] {
    const requests = new Map(acknowledged.requests);
    const decisions = new Map(acknowledged.decisions);
    const events = new Map(acknowledged.events);
    const memberships = [...acknowledged.memberships];
    const assignments = [...acknowledged.assignments];
    const resources = [...acknowledged.resources];
    const db = new DatabaseSync(join(this.#home, 'lockstep.sqlite'), { readOnly: true });
    try {
      this.#read(db);
      const standing = new Set(
        db
          .prepare('select group_id, member_id from group_members')
          .all()
          .map((row) => `${String(row['group_id'])} ${String(row['member_id'])}`),
      );
      const assigned = idsOf(db, 'select id from role_assignments');
      const known = idsOf(db, 'select id from resources');
      const stillSo = <T>(map: Map<string, T>, [key, state]: [string, T]) =>
        state !== null && map.get(key) === state;
      return [
        ...absent(requests, this.#requests),
        ...absent(decisions, this.#decisions),
        ...[...events].filter(([id, at]) => this.#events.get(id) !== at).map(([id]) => `event ${id}`),
        ...memberships
          .filter((entry) => stillSo(acknowledged.memberships, entry) && standing.has(entry[0]) !== entry[1])
          .map(([key, state]) => `membership ${key} = ${String(state)}`),
        ...assignments
          .filter((entry) => stillSo(acknowledged.assignments, entry) && assigned.has(entry[0]) !== entry[1])
          .map(([key, state]) => `role assignment ${key} = ${String(state)}`),
        ...resources.filter((id) => !known.has(id)).map((id) => `resource ${id}`),
      ];
    } finally {
      db.close();
    }
  }

  #read(db: DatabaseSync): void {
    const rows = db
      .prepare(
        'select sequence, event_id, decision_id, entry from ledger_events where sequence > ? order by sequence',
      )
      .all(this.#after) as unknown as EventRow[];
    for (const row of rows) {
      this.#after = row.sequence;
      this.#events.set(row.event_id, row.sequence);
      if (row.decision_id !== null) this.#decisions.add(row.decision_id);
      const request = requestOf(Buffer.from(row.entry).toString('utf8'));
      if (request !== null) this.#requests.add(request);
    }
  }
}

/** The request that an entry is correlated with. */
export function requestOf(entry: string): string | null {
  return /"correlation_uid":"([^"]+)"/.exec(entry)?.[1] ?? null;
}

/** What of the first is not in the second, with what it was. */
export function absent(claimed: ReadonlyMap<string, string>, present: ReadonlySet<string>): string[] {
  return [...claimed].filter(([id]) => !present.has(id)).map(([id, what]) => `${id}: ${what}`);
}

function idsOf(db: DatabaseSync, query: string): Set<string> {
  return new Set(
    db
      .prepare(query)
      .all()
      .map((row) => String(row['id'])),
  );
}
