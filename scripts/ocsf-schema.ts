// Compiles what the tests need of the Open Cybersecurity Schema Framework from a checkout of github.com/ocsf/ocsf-schema:
//   node scripts/ocsf-schema.ts DIRECTORY OUTPUT
// Only the classes and objects named here are kept, without their descriptions. See src/ledger/testing/ocsf/README.md.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';

interface Attribute {
  requirement?: string | null;
  type?: string;
  is_array?: boolean;
  sibling?: string;
  enum?: Record<string, { caption?: string }>;
  profile?: string | null;
  '@deprecated'?: unknown;
}

interface Definition {
  name: string;
  caption?: string;
  uid?: number;
  category?: string;
  extends?: string;
  profiles?: string[];
  constraints?: Record<string, string[]>;
  attributes: Record<string, Attribute | string[]>;
  '@deprecated'?: unknown;
}

const classNames = new Set([
  'account_change',
  'authentication',
  'authorize_session',
  'entity_management',
  'user_access',
  'group_management',
  'user_management',
  'role_management',
  'application_lifecycle',
  'api_activity',
  'datastore_activity',
]);
const objectNames = new Set([
  'actor',
  'api',
  'attestation',
  'authorization',
  'databucket',
  'fingerprint',
  'group',
  'http_request',
  'http_response',
  'iam_role',
  'managed_entity',
  'metadata',
  'network_endpoint',
  'organization',
  'policy',
  'product',
  'programmatic_credential',
  'resource_details',
  'service',
  'session',
  'url',
  'user',
]);

/** Attributes of any other profile are left out: an event that lists it is told that the profile is unknown. */
const profileNames = new Set(['security_control', 'record_integrity']);

const [directory, output] = process.argv.slice(2);
if (directory === undefined || output === undefined)
  throw new Error('node scripts/ocsf-schema.ts DIRECTORY OUTPUT');
const root = directory;

const { version } = read('version.json') as { version: string };
const dictionary = read('dictionary.json') as {
  attributes: Record<string, Attribute>;
  types: { attributes: Record<string, Record<string, unknown>> };
};
const categories = (read('categories.json') as { attributes: Record<string, { uid: number }> }).attributes;
const events = definitionsIn('events');
const objects = definitionsIn('objects');

const text = JSON.stringify({
  version,
  classes: Object.fromEntries(
    [...events.values()]
      .filter(({ name }) => classNames.has(name))
      .map((definition) => {
        const compiled = compile(definition, events);
        const category = categories[chain(definition, events).find((each) => each.category)?.category ?? ''];
        if (category === undefined) throw new Error(`${definition.name} has no category`);
        return [category.uid * 1000 + (definition.uid ?? 0), { category_uid: category.uid, ...compiled }];
      }),
  ),
  objects: Object.fromEntries(
    [...objects.values()]
      .filter(({ name }) => objectNames.has(name))
      .map((definition) => [definition.name, compile(definition, objects)]),
  ),
  types: Object.fromEntries(
    Object.entries(dictionary.types.attributes).map(([name, { type, regex, max_len, range }]) => [
      name,
      { type, regex, max_len, range },
    ]),
  ),
});
writeFileSync(output, await format(text, { parser: 'json', printWidth: 110 }));

function compile(definition: Definition, all: ReadonlyMap<string, Definition>) {
  const attributes: Record<string, Attribute> = {};
  let constraints: Record<string, string[]> | undefined;
  const profiles = new Set<string>();
  for (const each of chain(definition, all).reverse()) {
    for (const profile of each.profiles ?? []) profiles.add(profile);
    constraints = each.constraints ?? constraints;
    for (const [name, attribute] of Object.entries(each.attributes)) {
      if (Array.isArray(attribute)) {
        for (const path of attribute) include(path, attributes, profiles);
        continue;
      }
      const merged = { ...attributes[name], ...attribute };
      const values = { ...attributes[name]?.enum, ...attribute.enum };
      attributes[name] = Object.keys(values).length === 0 ? merged : { ...merged, enum: values };
    }
  }
  return {
    name: definition.name,
    caption: definition.caption,
    deprecated: definition['@deprecated'] === undefined ? undefined : true,
    profiles: [...profiles].filter((name) => profileNames.has(name)).sort(),
    constraints: constraints !== undefined && Object.keys(constraints).length > 0 ? constraints : undefined,
    attributes: Object.fromEntries(
      Object.entries(attributes)
        .filter(([, { profile }]) => typeof profile !== 'string' || profileNames.has(profile))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, attribute]) => [name, compact(name, attribute)]),
    ),
  };
}

function include(path: string, into: Record<string, Attribute>, profiles: Set<string>): void {
  const profile = read(path) as { name: string; meta?: string; attributes: Record<string, Attribute> };
  const { name: profileName } = profile;
  if (profile.meta === 'profile') profiles.add(profileName);
  for (const [name, attribute] of Object.entries(profile.attributes)) {
    into[name] = {
      ...into[name],
      ...attribute,
      ...(profile.meta === 'profile' ? { profile: profileName } : {}),
    };
  }
}

function compact(name: string, attribute: Attribute): object {
  const known = dictionary.attributes[name];
  if (known === undefined) throw new Error(`the dictionary does not know ${name}`);
  const values = { ...known.enum, ...attribute.enum };
  const isArray = attribute.is_array ?? known.is_array;
  return {
    type: attribute.type ?? known.type,
    array: isArray === true ? true : undefined,
    requirement: attribute.requirement ?? undefined,
    profile: attribute.profile ?? undefined,
    deprecated: (attribute['@deprecated'] ?? known['@deprecated']) === undefined ? undefined : true,
    sibling: attribute.sibling ?? known.sibling,
    enum:
      Object.keys(values).length === 0
        ? undefined
        : Object.fromEntries(Object.entries(values).map(([id, { caption }]) => [id, caption ?? ''])),
  };
}

/** The definition, what it extends, and so on. */
function chain(definition: Definition, all: ReadonlyMap<string, Definition>): Definition[] {
  const parent = definition.extends === undefined ? undefined : all.get(definition.extends);
  return parent === undefined ? [definition] : [definition, ...chain(parent, all)];
}

function definitionsIn(folder: string): Map<string, Definition> {
  return new Map(
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.json'))
      .map((path) => read(join(folder, path)) as Definition)
      .map((definition) => [definition.name, definition]),
  );
}

function read(path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
