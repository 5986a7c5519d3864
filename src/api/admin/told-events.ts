import { inOcsf19 } from '../../ledger/catalogue/ocsf-1-9.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { EventLog } from './event-log.ts';

/** The same log, its events told in OCSF 1.9. Receipts are of the entries themselves and stay what they are. */
export function toldInOcsf19(ledger: EventLog): EventLog {
  return {
    ...ledger,
    eventsAfter: async (sequence, limit) => (await ledger.eventsAfter(sequence, limit)).map(told),
    search: async (filter, options) => {
      const { events, next } = await ledger.search(filter, options);
      return { events: events.map(told), next };
    },
  };
}

function told<Row extends { readonly entry: Uint8Array; readonly told: Uint8Array }>(row: Row): Row {
  return { ...row, told: Buffer.from(canonicalJson(inOcsf19(row.entry, row.told))) };
}
