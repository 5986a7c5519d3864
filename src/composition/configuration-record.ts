import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Config } from '../config/load.ts';
import { canonicalJson, type Json } from '../lib/canonical-json.ts';
import type { Attribution } from '../store/changes.ts';
import type { Foundation } from './foundation.ts';

const metaKey = 'configuration';
const seenSchema = z.strictObject({ digest: z.string(), settings: z.record(z.string(), z.string()) });

/**
 * Records that Lockstep runs under another configuration than at its last start: which settings differ, never what they
 * are. Digests are keyed with a key of this installation, since settings as compiled hold the secrets of connections.
 */
export async function recordConfiguration(
  { store, ledger, deriveKey }: Pick<Foundation, 'store' | 'ledger' | 'deriveKey'>,
  by: Attribution,
  config: Config,
): Promise<void> {
  const key = deriveKey('configuration record');
  const digestOf = (text: string): string => createHmac('sha256', key).update(text).digest('hex');
  const settings = Object.fromEntries(
    settingsOf(config).map(([name, value]) => [name, digestOf(canonicalJson(value))]),
  );
  const digest = digestOf(canonicalJson(settings));
  const row = await store.db.selectFrom('meta').select('value').where('key', '=', metaKey).executeTakeFirst();
  const seen = row === undefined ? null : seenSchema.parse(JSON.parse(row.value));
  if (seen?.digest === digest) return;
  const before: Readonly<Record<string, string>> = seen?.settings ?? {};
  const changed = [...new Set([...Object.keys(before), ...Object.keys(settings)])]
    .filter((name) => before[name] !== settings[name])
    .sort();
  const value = canonicalJson({ digest, settings });
  await ledger.commit(by, async (tx, record) => {
    await tx
      .insertInto('meta')
      .values({ key: metaKey, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
    record({
      kind: 'configuration.changed',
      previous: seen?.digest ?? null,
      digest,
      settings: seen === null ? [] : changed,
    });
  });
}

/** `section.name` with its value, and what stands at the top by its own name. */
function settingsOf(config: Config): [string, Json][] {
  // The compiled configuration is data throughout: what it parses back to is the same.
  const plain = z.record(z.string(), z.json()).parse(JSON.parse(JSON.stringify(config)));
  return Object.entries(plain).flatMap(([section, value]): [string, Json][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).map(([name, member]) => [`${section}.${name}`, member])
      : [[section, value]],
  );
}
