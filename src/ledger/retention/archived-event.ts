import { z } from 'zod';
import type { EventId } from '../../lib/ids.ts';
import { tileWidth } from '../tlog/tile.ts';
import { readTile } from '../verify/read-tile.ts';
import type { TileSource } from '../verify/tile-source.ts';

export interface ArchivedEvent {
  readonly leafIndex: number;
  readonly entry: Uint8Array;
}

/** Bundles on either side of the place that its time points to: clocks are put back, and appends overlap. */
const mostAside = 64;

/**
 * An event whose row is gone, from the bundles: `end` is the index of the first entry that has a row,
 * `kept` that of the first that the archive keeps. An id says when
 * the event was made, to the millisecond, and the log is in order of time but for what clocks did. Null when it is not
 * where it should be.
 */
export async function archivedEvent(
  source: TileSource,
  id: EventId,
  end: number,
  kept = 0,
): Promise<ArchivedEvent | null> {
  const bundles = Math.floor(end / tileWidth);
  const time = timeOf(id);
  const first = Math.floor(kept / tileWidth);
  if (bundles <= first || time === null) return null;
  let low = first;
  for (let high = bundles; low < high;) {
    const middle = (low + high) >>> 1;
    const [first] = await readTile(source, { level: 'entries', index: middle, width: tileWidth });
    if (first !== undefined && eventOf(first).time <= time) low = middle + 1;
    else high = middle;
  }
  const nearest = Math.max(first, low - 1);
  for (let aside = 0; aside <= mostAside; aside++) {
    for (const index of aside === 0 ? [nearest] : [nearest - aside, nearest + aside]) {
      if (index < first || index >= bundles) continue;
      const entries = await readTile(source, { level: 'entries', index, width: tileWidth });
      const at = entries.findIndex((entry) => eventOf(entry).id === id);
      const entry = entries[at];
      if (entry !== undefined) return { leafIndex: index * tileWidth + at, entry };
    }
  }
  return null;
}

const crockford = '0123456789abcdefghjkmnpqrstvwxyz';

/** When an id was made (ULID): milliseconds since the epoch. */
function timeOf(id: EventId): number | null {
  let time = 0;
  for (const character of id.slice('evt_'.length, 'evt_'.length + 10)) {
    const digit = crockford.indexOf(character);
    if (digit < 0) return null;
    time = time * 32 + digit;
  }
  return time;
}

const entrySchema = z.object({ time: z.number(), metadata: z.object({ uid: z.string() }) });

function eventOf(entry: Uint8Array): { readonly time: number; readonly id: string } {
  const { time, metadata } = entrySchema.parse(JSON.parse(Buffer.from(entry).toString('utf8')));
  return { time, id: metadata.uid };
}
