import type { Entry } from '../catalogue/entry.ts';
import { tellWith, type ToldEvent } from '../privacy/tell-entry.ts';
import type { Members } from '../verify/canonical.ts';
import { eventIn } from '../verify/disclose.ts';

/** An entry with all of its personal values, as long as none has been erased. */
export function toldOf({ bytes, secrets }: Pick<Entry, 'bytes' | 'secrets'>): ToldEvent {
  return tellWith(leafOf(bytes), new Map(secrets.entries()));
}

/** What the log itself holds. */
export function leafOf(bytes: Uint8Array): Members {
  const event = eventIn(bytes);
  if (event === null) throw new Error('not an event');
  return event;
}
