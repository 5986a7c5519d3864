import { newEventId } from '../../../lib/ids.ts';
import type { Change, Commit, Follower } from '../../../store/changes.ts';
import type { Store } from '../../../store/sqlite.ts';

/** The contract of Commit over a real store, without the ledger's entries: one transaction, then the followers. */
export function plainCommit(store: Store): { commit: Commit; follow(follower: Follower): void } {
  const followers: Follower[] = [];
  let sequence = 0;
  return {
    follow: (follower) => followers.push(follower),
    async commit(_by, work) {
      const changes: Change[] = [];
      const result = await store.db
        .transaction()
        .execute(async (tx) => work(tx, (change) => changes.push(change)));
      const committed = changes.map((change) => ({
        previous: sequence,
        sequence: (sequence += 1),
        change,
        event: newEventId(0),
      }));
      for (const follower of followers) follower(committed);
      return result;
    },
  };
}
