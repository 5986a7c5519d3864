import type { Acknowledged } from './acknowledged.ts';
import { Unexpected } from './actor.ts';
import type { Stage } from './stage.ts';

const line = /^\{"sequence":(\d+),"event":.*?"uid":"(evt_[0-9a-z]{26})"/;

/** Somebody who watches the log: keeps every checkpoint that is served, and the id of every event that is shown. */
export class ReaderActor {
  readonly #stage: Stage;
  readonly #acknowledged: Acknowledged;
  #after = 0;

  constructor(stage: Stage, acknowledged: Acknowledged) {
    this.#stage = stage;
    this.#acknowledged = acknowledged;
  }

  readonly turn = async (): Promise<void> => {
    const { client, admin } = this.#stage;
    const checkpoint = await client.send('GET', '/ledger/checkpoint');
    if (checkpoint.status !== 200) throw new Unexpected('the checkpoint', checkpoint);
    this.#acknowledged.checkpoint(checkpoint.text());
    const page = await client.send('GET', `/admin/v1/events?after=${this.#after}&limit=500`, {
      token: admin.events,
    });
    if (page.status !== 200) throw new Unexpected('the events', page);
    for (const text of page.text().split('\n')) {
      if (text === '') continue;
      const [, sequence = '', id = ''] = line.exec(text) ?? [];
      if (id === '') this.#acknowledged.surprises.push(`an event cannot be read: ${text.slice(0, 200)}`);
      this.#acknowledged.events.set(id, Number(sequence));
      this.#after = Math.max(this.#after, Number(sequence));
    }
  };
}
