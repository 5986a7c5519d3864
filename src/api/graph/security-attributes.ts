import { z } from 'zod';
import type { Exchange } from '../../gateway/types.ts';
import type { AttributeValue, PrincipalRecord } from '../../store/changes.ts';
import { failure } from '../../lib/errors.ts';
import { requireAlso } from '../also.ts';
import { ownAccess } from '../own-actions.ts';
import type { Resource } from './odata.ts';

const setType = '#microsoft.graph.customSecurityAttributeValue';
/** Neither may hold `_`, so that `{set}_{attribute}` is read in one way only. */
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,31}$/, 'up to 32 letters and digits, a letter first');
const text = z.string().min(1).max(64);
const number = z.int32();
const value = z.union([text, number, z.boolean(), z.array(text).max(50), z.array(number).max(50)]).nullable();
const members = z.record(z.string(), z.unknown());

/** learn.microsoft.com/graph/custom-security-attributes-examples: sets of attributes, as they are to become. */
export const securityAttributesPatch = z.record(name, members);

/** What is to be set, by `{set}_{attribute}`; null is to be removed. Throws `invalid_request` naming the attribute. */
export function changesOf(
  patch: z.infer<typeof securityAttributesPatch>,
): Readonly<Record<string, AttributeValue | null>> {
  const changes: Record<string, AttributeValue | null> = {};
  for (const [set, given] of Object.entries(patch)) {
    for (const [member, raw] of Object.entries(given)) {
      // Types are told by the values; Graph's clients write them besides.
      if (member === '@odata.type' || member.endsWith('@odata.type')) continue;
      const named = name.safeParse(member);
      const parsed = value.safeParse(raw);
      if (!named.success || !parsed.success) {
        throw failure(
          'invalid_request',
          `customSecurityAttributes.${set}.${member.slice(0, 64)}: a name is up to 32 letters and digits, a value a text ` +
            'of up to 64 characters, a 32-bit integer, a truth value, a list of one of the first two, or null.',
        );
      }
      const list = Array.isArray(parsed.data) && parsed.data.length === 0;
      changes[`${set}_${member}`] = list ? null : parsed.data;
    }
  }
  return changes;
}

/**
 * The resource with its custom security attributes, where `$select` asks for them: as in Graph they are in no answer
 * otherwise. Needs securityAttributes/read. Throws `access_denied`.
 */
export async function withSecurityAttributes(
  exchange: Exchange,
  resource: Resource,
  { securityAttributes }: Pick<PrincipalRecord, 'securityAttributes'>,
): Promise<Resource> {
  const selected = exchange.head.query.get('$select')?.split(',') ?? [];
  if (!selected.some((asked) => asked.trim() === 'customSecurityAttributes')) return resource;
  await requireAlso(exchange, ownAccess('securityAttributes/read'));
  return { ...resource, customSecurityAttributes: shown(securityAttributes ?? {}) };
}

/** Needed besides the right to write the principal: attributes decide what its holder may do. Throws `access_denied`. */
export async function requireToSetAttributes(exchange: Exchange): Promise<void> {
  await requireAlso(exchange, ownAccess('securityAttributes/write'));
}

function shown(attributes: Readonly<Record<string, AttributeValue>>): object | null {
  const sets: Record<string, Record<string, unknown>> = {};
  for (const [key, held] of Object.entries(attributes)) {
    const cut = key.indexOf('_');
    const set = (sets[key.slice(0, cut)] ??= { '@odata.type': setType });
    const type = typeOf(held);
    if (type !== null) set[`${key.slice(cut + 1)}@odata.type`] = type;
    set[key.slice(cut + 1)] = held;
  }
  return Object.keys(sets).length === 0 ? null : sets;
}

function typeOf(held: AttributeValue): string | null {
  if (typeof held === 'number') return '#Int32';
  if (typeof held !== 'object') return null;
  return typeof held[0] === 'number' ? '#Collection(Int32)' : '#Collection(String)';
}
