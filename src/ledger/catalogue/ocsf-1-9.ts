import { createHash } from 'node:crypto';
import { z } from 'zod';
import { leafHash } from '../tlog/hash.ts';
import { canonicalJson, type Json, type JsonObject } from '../../lib/canonical-json.ts';

/** The parts of an entry that are told in another way. */
const entrySchema = z.object({
  class_uid: z.int(),
  activity_id: z.int(),
  activity_name: z.string(),
  metadata: z.object({ uid: z.string(), log_name: z.string(), profiles: z.array(z.string()).default([]) }),
});

/**
 * A log entry told in OCSF 1.9: people, their credentials and their roles under User Management, role definitions under
 * Role Management, no attribute that 1.9 deprecates, and the `record_integrity` profile. The log itself keeps what was
 * written, in 1.8: `unmapped.lockstep.leafHash` is its hash there, and a receipt proves it.
 * `shown` is the entry with the values that may be shown. Throws a SyntaxError, TypeError or ZodError for what is no entry.
 */
export function inOcsf19(entry: Uint8Array, shown: Uint8Array = entry): JsonObject {
  const event = plain(JSON.parse(Buffer.from(shown).toString('utf8')));
  const { class_uid, activity_id, activity_name, metadata } = entrySchema.parse(event);
  const unmapped = plain(event['unmapped'] ?? {});
  const told = (classes[class_uid] ?? unchanged)(event, { id: activity_id, name: activity_name });
  const classUid = told.class?.uid ?? class_uid;
  const rendered: JsonObject = {
    ...told.event,
    class_uid: classUid,
    ...(told.class === null ? {} : { class_name: told.class.name }),
    activity_id: told.activity.id,
    activity_name: told.activity.name,
    type_uid: classUid * 100 + told.activity.id,
    metadata: {
      ...plain(event['metadata']),
      version: '1.9.0',
      profiles: [...metadata.profiles, 'record_integrity'],
    },
    unmapped: {
      ...unmapped,
      lockstep: {
        ...plain(unmapped['lockstep'] ?? {}),
        leafHash: Buffer.from(leafHash(entry)).toString('hex'),
      },
    },
  };
  return attested(rendered, metadata.uid, metadata.log_name);
}

/**
 * OCSF's attestation: the fingerprint of the whole event without the fingerprint itself, in RFC 8785's form. It tells
 * whether a record was altered on its way; that it is what was logged is told by the log.
 */
function attested(event: JsonObject, uid: string, origin: string): JsonObject {
  const attestation = { uid, chain_uid: origin, authority_uid: origin };
  const value = createHash('sha256')
    .update(canonicalJson({ ...event, attestation_list: [attestation] }))
    .digest('hex');
  return {
    ...event,
    attestation_list: [
      {
        ...attestation,
        fingerprint: {
          algorithm: 'SHA-256',
          algorithm_id: 3,
          encoding: 'Hex',
          encoding_id: 1,
          serialization: 'JCS',
          serialization_id: 2,
          value,
        },
      },
    ],
  };
}

interface Activity {
  readonly id: number;
  readonly name: string;
}

interface Told {
  /** Null: the same class. */
  readonly class: { readonly uid: number; readonly name: string } | null;
  readonly activity: Activity;
  readonly event: JsonObject;
}

const userManagement = { uid: 3007, name: 'User Management' };
const roleManagement = { uid: 3008, name: 'Role Management' };

const unchanged = (event: JsonObject, activity: Activity): Told => ({ class: null, activity, event });

/** Classes that 1.9 tells in another way, by their uid in 1.8. */
const classes: Readonly<Record<number, (event: JsonObject, activity: Activity) => Told>> = {
  3001: (event, activity) => ({
    class: userManagement,
    activity: named(accountActivities, activity),
    event,
  }),
  3004: (event, activity) => {
    const { entity, ...rest } = event;
    const { type, uid, name } = plain(entity ?? {});
    if (type !== 'Role Definition') return unchanged(event, activity);
    const role: JsonObject = { uid: uid ?? null, ...(name === undefined ? {} : { name }) };
    return {
      class: roleManagement,
      activity: named(roleActivities, activity),
      event: { ...rest, iam_role: role },
    };
  },
  3005: (event, activity) => ({
    class: userManagement,
    activity: named(grantsToUsers, activity),
    event: withRoles(event),
  }),
  3006: (event, activity) => {
    const { user, ...rest } = withRoles(event);
    return {
      class: null,
      activity: named(groupActivities, activity),
      event: { ...rest, ...(user === undefined ? {} : { users: [user] }) },
    };
  },
};

type Renamed = Readonly<Record<string, Activity>>;

const accountActivities: Renamed = {
  Create: { id: 1, name: 'Create' },
  Update: { id: 2, name: 'Update' },
  Delete: { id: 3, name: 'Delete' },
  Enable: { id: 4, name: 'Enable' },
  Disable: { id: 5, name: 'Disable' },
  'Password Change': { id: 8, name: 'Password Change' },
  'Password Reset': { id: 9, name: 'Password Reset' },
  'Add Credential': { id: 18, name: 'Add Programmatic Credentials' },
  'Remove Credential': { id: 19, name: 'Remove Programmatic Credentials' },
};
const roleActivities: Renamed = {
  Create: { id: 1, name: 'Create' },
  Update: { id: 2, name: 'Update' },
  Delete: { id: 3, name: 'Delete' },
};
const grantsToUsers: Renamed = {
  'Assign Privileges': { id: 16, name: 'Assign Roles' },
  'Revoke Privileges': { id: 17, name: 'Remove Roles' },
};
const groupActivities: Renamed = {
  Update: { id: 9, name: 'Update' },
  'Assign Privileges': { id: 12, name: 'Assign Roles' },
  'Revoke Privileges': { id: 13, name: 'Remove Roles' },
};

/** By the name in 1.8; one that has no other number keeps it. */
function named(table: Renamed, activity: Activity): Activity {
  return Object.hasOwn(table, activity.name) ? (table[activity.name] ?? activity) : activity;
}

/** 1.8 has roles stand among privileges, and one resource by itself. */
function withRoles(event: JsonObject): JsonObject {
  const { privileges, resource, ...rest } = event;
  const roles = isList(privileges) ? privileges.map((uid) => ({ uid })) : null;
  return {
    ...rest,
    ...(roles === null ? {} : { iam_roles: roles }),
    ...(resource === undefined ? {} : { resources: [resource] }),
  };
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** Of what JSON.parse made: whatever stands in it is data, members named `__proto__` included. */
function plain(value: unknown): JsonObject {
  if (!isJsonObject(value)) throw new TypeError('an entry of the log is an object');
  return value;
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
