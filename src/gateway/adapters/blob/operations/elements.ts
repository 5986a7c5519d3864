import type { RequestHead } from '../../../types.ts';
import type { Metadata } from '../store.ts';
import type { Account } from '../target.ts';
import { element, type Element } from '../xml.ts';

export function metadataElement(metadata: Metadata): Element {
  return element(
    'Metadata',
    metadata.map(([name, value]) => element(name, value)),
  );
}

/** The account as the client addressed it. */
export function serviceEndpoint(head: RequestHead, account: Account): string {
  return head.path.startsWith(`/${account.name}`) ? `${head.origin}/${account.name}/` : `${head.origin}/`;
}
