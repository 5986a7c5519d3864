import { readFileSync } from 'node:fs';
import {
  discloseEntry,
  formatDisclosures,
  parseDisclosures,
  type DisclosedEvent,
  type Disclosures,
} from '../ledger/verify/disclose.ts';
import { CliError } from './cli-error.ts';

/** Of what a server discloses those at the places that are named: a whole pointer, or its end. Throws CliError `not-found`. */
export function chosenDisclosures(text: string, places: readonly string[]): string {
  const all = parseDisclosures(text);
  if (all === null) throw new CliError('failure', 'The server’s answer holds no disclosures.');
  if (places.includes('all')) return formatDisclosures(all);
  const chosen = new Set<Disclosures['disclosures'][number]>();
  for (const place of places) {
    const found = all.disclosures.filter(({ at }) =>
      at.some((pointer) => pointer === place || pointer.endsWith(`/${place}`)),
    );
    if (found.length === 0) {
      const known = all.disclosures.map(({ at }) => at[0]).join(', ');
      throw new CliError('not-found', `The event binds nothing that may be shown at \`${place}\`.`, {
        hint:
          known === '' ? 'Nothing of it may be shown: it was erased, or never bound.' : `There is: ${known}.`,
      });
    }
    for (const one of found) chosen.add(one);
  }
  return formatDisclosures({
    event: all.event,
    disclosures: all.disclosures.filter((one) => chosen.has(one)),
  });
}

/** The proven entry with what the file discloses. Throws CliError `not-verified` and `usage`. */
export function disclosedBy(file: string, entry: Uint8Array): DisclosedEvent & { readonly ok: true } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const disclosed = discloseEntry(entry, text);
  if (!disclosed.ok) throw new CliError('not-verified', `${file} does not verify: ${disclosed.reason}.`);
  return disclosed;
}
