import type { IdentityFact } from '../../../config/connections.ts';
import { failure } from '../../../lib/errors.ts';
import type { PrincipalId } from '../../../lib/ids.ts';

/** Who calls, as far as a header may tell. */
export interface IdentityFacts {
  readonly id: PrincipalId;
  /** Of a person; null for a workload, whose name somebody could choose to be a person's. */
  readonly userPrincipalName: string | null;
  readonly displayName: string;
  /** Transitive. Null where it is not known for sure which they are. */
  readonly groups: readonly { readonly id: PrincipalId; readonly displayName: string }[] | null;
}

/** What servers take without complaint; more groups than fit are refused, never cut. */
const longestValue = 8192;

/**
 * The headers that tell an upstream who calls. Names are percent-encoded (RFC 3986 §2.1, in UTF-8) where they are not
 * printable ASCII, hold `%` or `,`, or begin or end in a space, so that no name can be read as two, nor two names as the same; ids and user
 * principal names need none of it. Groups stand in one header, joined with commas, in order. Throws `access_denied`
 * where the groups are not known, or do not fit.
 */
export function identityHeaders(
  wanted: Readonly<Record<string, IdentityFact>>,
  facts: IdentityFacts,
): [name: string, value: string][] {
  return Object.entries(wanted).map(([name, fact]) => [name, valueOf(fact, facts)]);
}

function valueOf(fact: IdentityFact, facts: IdentityFacts): string {
  switch (fact) {
    case 'id':
      return facts.id;
    case 'userPrincipalName':
      return facts.userPrincipalName ?? facts.id;
    case 'displayName':
      return encoded(facts.displayName);
    case 'groupIds':
      return joined(facts.groups?.map(({ id }) => id));
    case 'groupNames':
      return joined(facts.groups?.map(({ displayName }) => encoded(displayName)));
  }
}

function joined(values: readonly string[] | undefined): string {
  if (values === undefined) {
    throw failure(
      'access_denied',
      'It is not known for sure of which groups you are, and the upstream would have to be told.',
    );
  }
  const text = [...new Set(values)].sort().join(',');
  if (text.length > longestValue) {
    throw failure(
      'access_denied',
      `The upstream would have to be told of ${values.length} groups, more than fit into a header; ids are shorter than names.`,
    );
  }
  return text;
}

function encoded(name: string): string {
  const bytes = Buffer.from(name, 'utf8');
  return [...bytes]
    .map((byte, at) => {
      // Space at an end would be cut off on the way.
      const lowest = at === 0 || at === bytes.length - 1 ? 0x21 : 0x20;
      const isPlain = byte >= lowest && byte <= 0x7e && byte !== 0x25 && byte !== 0x2c;
      return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}
