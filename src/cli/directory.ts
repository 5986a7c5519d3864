import { z } from 'zod';
import { isGuid } from '../lib/ids.ts';
import { CliError } from './cli-error.ts';
import type { Client } from './connection/client.ts';

/** Microsoft Graph's shapes, as far as commands show them. */
export const userSchema = z.object({
  id: z.string(),
  displayName: z.string(),
  userPrincipalName: z.string(),
  accountEnabled: z.boolean(),
});
export const groupSchema = z.object({ id: z.string(), displayName: z.string() });
export const applicationSchema = z.object({ id: z.string(), appId: z.string(), displayName: z.string() });
const objectSchema = z.object({ '@odata.type': z.string(), id: z.string(), displayName: z.string() });

export type User = z.infer<typeof userSchema>;
export type Group = z.infer<typeof groupSchema>;
export type Application = z.infer<typeof applicationSchema>;

export interface Principal {
  readonly id: string;
  readonly displayName: string;
  readonly type: 'User' | 'Group' | 'ServicePrincipal';
}

const page = <T>(item: z.ZodType<T>) =>
  z.object({ value: z.array(item), '@odata.nextLink': z.string().optional() });

/** Every element of a Graph collection, page after page. */
export async function collection<T>(client: Client, path: string, item: z.ZodType<T>): Promise<T[]> {
  const out: T[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const { value, '@odata.nextLink': link }: z.infer<ReturnType<typeof page<T>>> = await client.json(
      'directory',
      'GET',
      next,
      page(item),
    );
    out.push(...value);
    next = link === undefined ? undefined : new URL(link).pathname + new URL(link).search;
  }
  return out;
}

/** The user of an object id or a sign-in name. Throws CliError `not-found`. */
export async function userNamed(client: Client, name: string): Promise<User> {
  return client.json('directory', 'GET', `/v1.0/users/${encodeURIComponent(name)}`, userSchema);
}

/** The group of an object id or a display name. Throws CliError `not-found`, or `usage` for a name that is not unique. */
export async function groupNamed(client: Client, name: string): Promise<Group> {
  if (isGuid(name)) return client.json('directory', 'GET', `/v1.0/groups/${name}`, groupSchema);
  return theOne(await filtered(client, 'groups', 'displayName', name, groupSchema), 'group', name);
}

/** The application of an application id, an object id or a display name. */
export async function applicationNamed(client: Client, name: string): Promise<Application> {
  if (!isGuid(name)) {
    return theOne(
      await filtered(client, 'applications', 'displayName', name, applicationSchema),
      'application',
      name,
    );
  }
  const byAppId = await filtered(client, 'applications', 'appId', name, applicationSchema);
  return byAppId[0] ?? client.json('directory', 'GET', `/v1.0/applications/${name}`, applicationSchema);
}

/** Whoever a person would name: a sign-in name, an object id, an application id, or the name of a group or application. */
export async function principalNamed(client: Client, name: string): Promise<Principal> {
  if (name.includes('@')) {
    const user = await userNamed(client, name);
    return { id: user.id, displayName: user.displayName, type: 'User' };
  }
  if (isGuid(name)) {
    const found = await objectsById(client, [name]);
    const [object] = found;
    if (object)
      return { id: object.id, displayName: object.displayName, type: typeOf(object['@odata.type']) };
    const [workload] = await filtered(client, 'servicePrincipals', 'appId', name, groupSchema);
    if (workload) return { ...workload, type: 'ServicePrincipal' };
    throw new CliError('not-found', `There is no user, group or application with the id ${name}.`);
  }
  const groups = await filtered(client, 'groups', 'displayName', name, groupSchema);
  const workloads = await filtered(client, 'servicePrincipals', 'displayName', name, groupSchema);
  const all: Principal[] = [
    ...groups.map((group): Principal => ({ ...group, type: 'Group' })),
    ...workloads.map((workload): Principal => ({ ...workload, type: 'ServicePrincipal' })),
  ];
  return theOne(all, 'group or application', name);
}

async function objectsById(client: Client, ids: readonly string[]): Promise<z.infer<typeof objectSchema>[]> {
  const { value } = await client.json(
    'directory',
    'POST',
    '/v1.0/directoryObjects/getByIds',
    page(objectSchema),
    {
      json: { ids },
    },
  );
  return value;
}

export function typeOf(odataType: string): Principal['type'] {
  if (odataType.endsWith('.user')) return 'User';
  return odataType.endsWith('.group') ? 'Group' : 'ServicePrincipal';
}

async function filtered<T>(client: Client, of: string, property: string, value: string, item: z.ZodType<T>) {
  const quoted = value.replaceAll("'", "''");
  const { value: found } = await client.json('directory', 'GET', `/v1.0/${of}`, page(item), {
    query: { $filter: `${property} eq '${quoted}'` },
  });
  return found;
}

function theOne<T extends { id: string }>(found: readonly T[], kind: string, name: string): T {
  const [first, ...others] = found;
  if (first === undefined) {
    throw new CliError('not-found', `There is no ${kind} named \`${name}\`.`, {
      hint:
        kind === 'group'
          ? 'lockstep group list'
          : kind === 'application'
            ? 'lockstep app list'
            : 'lockstep group list; lockstep app list; people are named by their sign-in name',
    });
  }
  if (others.length > 0) {
    throw new CliError('usage', `More than one ${kind} is named \`${name}\`: name it by its object id.`, {
      facts: found.map((one): readonly [string, string] => ['id', one.id]),
    });
  }
  return first;
}

/** Names by object id; of nobody for whoever may not read the directory. */
export async function principalNames(client: Client, ids: readonly string[]): Promise<Map<string, string>> {
  const unique = [...new Set(ids)];
  if (unique.length === 0) return new Map();
  try {
    return new Map((await objectsById(client, unique)).map((object) => [object.id, object.displayName]));
  } catch (error) {
    // Whoever may read assignments may not be allowed to read the directory; object ids do then.
    if (error instanceof CliError && error.ending === 'denied') return new Map();
    throw error;
  }
}
