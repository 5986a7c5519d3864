import { z } from 'zod';
import { builtInRoles } from '../../policy/built-in-roles.ts';

const named = z.object({ uid: z.string(), name: z.string().optional() });

/** What OCSF says of whom and what a change is about: the same few attributes for changes of every kind. */
const changedSchema = z.object({
  user: named
    .extend({ programmatic_credentials: z.array(z.object({ type: z.string() })).optional() })
    .optional(),
  subgroup: named.optional(),
  group: named.optional(),
  entity: named.optional(),
  databucket: named.optional(),
  privileges: z.array(z.string()).optional(),
  resource: named.optional(),
  resources: z.array(named).optional(),
  unmapped: z.object({
    lockstep: z.object({
      change: z.object({
        reason: z.string().optional(),
        status: z.string().optional(),
        settings: z.array(z.string()).optional(),
      }),
    }),
  }),
});

export interface ChangedObject {
  /** In a few words, with names where they are told and ids where not; empty where the scope says it all. */
  readonly what: string;
  /** Where it is, or where it holds; null where it has no place. */
  readonly scope: string | null;
}

/** Whom and what a recorded change is about; null for an event that is no change. */
export function changedObject(event: unknown): ChangedObject | null {
  const parsed = changedSchema.safeParse(event);
  if (!parsed.success) return null;
  const {
    user,
    subgroup,
    group,
    entity,
    databucket,
    privileges = [],
    resource,
    resources = [],
  } = parsed.data;
  const { reason, status, settings = [] } = parsed.data.unmapped.lockstep.change;
  const member = user ?? subgroup;
  const joined = member === undefined || group === undefined ? [] : ['→', nameOf(group)];
  const subject = member ?? entity ?? group;
  const credentials = (user?.programmatic_credentials ?? []).map(({ type }) => type);
  const notes = [...credentials, ...privileges.map(roleNameOf), ...settings, reason ?? status ?? ''].filter(
    Boolean,
  );
  const words = [
    subject === undefined ? '' : nameOf(subject),
    ...joined,
    notes.length === 0 ? '' : `(${notes.join(', ')})`,
  ];
  const places = [resource, ...resources, entity, databucket];
  return {
    what: words.filter(Boolean).join(' '),
    scope: places.find((place) => place?.uid.startsWith('/'))?.uid ?? null,
  };
}

/** A resource without a name of its own is told by its scope. */
function nameOf({ uid, name = uid }: z.infer<typeof named>): string {
  return name.startsWith('/') ? '' : name;
}

function roleNameOf(privilege: string): string {
  return builtInRoles.find(({ id }) => id === privilege)?.roleName ?? privilege;
}
