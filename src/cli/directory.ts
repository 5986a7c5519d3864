import { z } from 'zod';
import { editDistance, nearestKey } from '../config/nearest-key.ts';
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
  try {
    return await client.json('directory', 'GET', `/v1.0/users/${encodeURIComponent(name)}`, userSchema);
  } catch (error) {
    if (!(error instanceof CliError) || error.ending !== 'not-found' || isGuid(name)) throw error;
    throw await nobodyNamed(client, 'person', name);
  }
}

/** The group of an object id or a display name. Throws CliError `not-found`, or `usage` for a name that is not unique. */
export async function groupNamed(client: Client, name: string): Promise<Group> {
  if (isGuid(name)) return client.json('directory', 'GET', `/v1.0/groups/${name}`, groupSchema);
  return theOne(client, await filtered(client, 'groups', 'displayName', name, groupSchema), 'group', name);
}

/** The application of an application id, an object id or a display name. */
export async function applicationNamed(client: Client, name: string): Promise<Application> {
  if (!isGuid(name)) {
    return theOne(
      client,
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
  return theOne(client, all, 'group or application', name);
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

async function theOne<T extends { id: string }>(
  client: Client,
  found: readonly T[],
  kind: Exclude<Kind, 'person'>,
  name: string,
): Promise<T> {
  const [first, ...others] = found;
  if (first === undefined) throw await nobodyNamed(client, kind, name);
  if (others.length > 0) {
    throw new CliError('usage', `More than one ${kind} is named \`${name}\`: name it by its object id.`, {
      facts: found.map((one): readonly [string, string] => ['id', one.id]),
    });
  }
  return first;
}

type Kind = 'person' | 'group' | 'application' | 'group or application';

/** Where those are that may have been meant, and the command that lists them all. */
const kinds: Readonly<Record<Kind, { readonly of: readonly string[]; readonly hint: string }>> = {
  person: { of: ['users'], hint: '`lockstep user list` shows everybody.' },
  group: { of: ['groups'], hint: '`lockstep group list` shows them all.' },
  application: { of: ['applications'], hint: '`lockstep app list` shows them all.' },
  'group or application': {
    of: ['groups', 'servicePrincipals', 'users'],
    hint: '`lockstep group list` and `lockstep app list` show them all; people are named by their sign-in name: `lockstep user list`.',
  },
};

const nameSchema = z.object({ displayName: z.string(), userPrincipalName: z.string().optional() });

async function nobodyNamed(client: Client, kind: Kind, name: string): Promise<CliError> {
  const { of, hint } = kinds[kind];
  const names = (await Promise.all(of.map(async (each) => someNames(client, each)))).flat();
  const near = nearestName(name, names);
  const message = `There is no ${kind} named \`${name}\`.`;
  return new CliError('not-found', message, {
    hint: near === undefined ? hint : `Did you mean \`${near}\`?`,
  });
}

/** Of a sign-in name what stands before the @ counts alone: a domain that they share makes nobody alike. */
function nearestName(name: string, names: readonly string[]): string | undefined {
  const own = name.toLowerCase().split('@')[0] ?? '';
  const near = nearestKey(name, names);
  if (near !== null && editDistance(name.toLowerCase(), near.toLowerCase()) <= Math.max(1, own.length / 3)) {
    return near;
  }
  return names.find((one) => one.toLowerCase().startsWith(`${own}@`));
}

/** Those of one page, for a suggestion; none for whoever may not read the directory. */
async function someNames(client: Client, of: string): Promise<string[]> {
  try {
    const query = { $top: '999' };
    const { value } = await client.json('directory', 'GET', `/v1.0/${of}`, page(nameSchema), { query });
    return value.map(({ displayName, userPrincipalName = displayName }) => userPrincipalName);
  } catch (error) {
    if (error instanceof CliError && error.ending === 'denied') return [];
    throw error;
  }
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
