import { isGuid } from '../lib/ids.ts';

/** A GUID as this program writes them, of one written with or without hyphens (Azure's messages leave them out); null else. */
export function guidOf(text: string): string | null {
  const parts = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i.exec(text);
  const guid = parts?.slice(1).join('-').toLowerCase() ?? '';
  return isGuid(guid) ? guid : null;
}
