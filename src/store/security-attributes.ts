import { z } from 'zod';
import { canonicalJson, type Json } from '../lib/canonical-json.ts';
import type { AttributeValue, PrincipalRecord } from './changes.ts';

const value = z.union([
  z.string(),
  z.number().int(),
  z.boolean(),
  z.array(z.string()),
  z.array(z.number().int()),
]);
const attributes = z.record(z.string(), value);

/** The custom security attributes of a stored principal; no member when it has none. Throws for any other form. */
export function securityAttributesOf(row: {
  readonly security_attributes_json: string;
}): Pick<PrincipalRecord, 'securityAttributes'> {
  const parsed = attributes.parse(JSON.parse(row.security_attributes_json));
  return Object.keys(parsed).length === 0 ? {} : { securityAttributes: parsed };
}

/** The column's text. */
export function storedSecurityAttributes(
  given: Readonly<Record<string, AttributeValue>> | undefined,
): string {
  const members = Object.entries(given ?? {}).map(([name, member]): [string, Json] => [name, jsonOf(member)]);
  return canonicalJson(Object.fromEntries(members));
}

function jsonOf(member: AttributeValue): Json {
  return typeof member === 'object' ? [...member] : member;
}
