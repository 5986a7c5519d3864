import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Attribute {
  readonly type: string;
  readonly array?: true;
  readonly requirement?: string;
  readonly profile?: string;
  readonly deprecated?: true;
  readonly sibling?: string;
  readonly enum?: Readonly<Record<string, string>>;
}

interface Definition {
  readonly name: string;
  readonly caption?: string;
  readonly deprecated?: true;
  readonly category_uid?: number;
  readonly profiles: readonly string[];
  readonly constraints?: Readonly<Record<string, readonly string[]>>;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

interface Schema {
  readonly version: string;
  readonly classes: Readonly<Record<string, Definition>>;
  readonly objects: Readonly<Record<string, Definition>>;
  readonly types: Readonly<
    Record<string, { type?: string; regex?: string; max_len?: number; range?: [number, number] }>
  >;
}

export type OcsfVersion = '1.8.0' | '1.9.0';

const schemas = new Map<OcsfVersion, Schema>();

function schemaOf(version: OcsfVersion): Schema {
  const known = schemas.get(version);
  if (known !== undefined) return known;
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, `${version}.json`), 'utf8')) as Schema;
  schemas.set(version, schema);
  return schema;
}

/**
 * What the schema has against an event, each with its path; empty for a valid one. Stricter than the schema's own server:
 * unknown and deprecated attributes, and captions beside ids that are not the ids' own, are problems too.
 */
export function ocsfProblems(event: Readonly<Record<string, unknown>>, version: OcsfVersion): string[] {
  const schema = schemaOf(version);
  const definition = schema.classes[String(event['class_uid'])];
  if (definition === undefined)
    return [`class_uid: ${String(event['class_uid'])} is not a class that is used`];
  const problems: string[] = [];
  if (definition.deprecated === true) problems.push(`class ${definition.name} is deprecated`);
  const metadata = isObject(event['metadata']) ? event['metadata'] : {};
  const listed = Array.isArray(metadata['profiles']) ? metadata['profiles'].map(String) : [];
  for (const profile of listed) {
    if (!definition.profiles.includes(profile)) problems.push(`metadata.profiles: ${profile} is not known`);
  }
  const expected = {
    class_name: definition.caption,
    category_uid: definition.category_uid,
    type_uid: Number(event['class_uid']) * 100 + Number(event['activity_id']),
  };
  for (const [name, value] of Object.entries(expected)) {
    if (event[name] !== value) problems.push(`${name}: ${String(event[name])} should be ${String(value)}`);
  }
  if (metadata['version'] !== version) problems.push(`metadata.version: should be ${version}`);
  const check = new Check(schema, new Set(listed), problems);
  // What the uid is called is told by the class, not by the enumeration that it inherits.
  check.members(event, definition, '', new Set(['class_uid', 'category_uid', 'type_uid']));
  return problems;
}

class Check {
  readonly #schema: Schema;
  readonly #profiles: ReadonlySet<string>;
  readonly #problems: string[];

  constructor(schema: Schema, profiles: ReadonlySet<string>, problems: string[]) {
    this.#schema = schema;
    this.#profiles = profiles;
    this.#problems = problems;
  }

  members(
    value: Readonly<Record<string, unknown>>,
    definition: Definition,
    path: string,
    derived: ReadonlySet<string> = new Set(),
  ): void {
    for (const [name, member] of Object.entries(value)) {
      const at = `${path}${name}`;
      const attribute = Object.hasOwn(definition.attributes, name) ? definition.attributes[name] : undefined;
      if (attribute === undefined || !this.#applies(attribute)) {
        this.#say(at, `is not an attribute of ${definition.name}`);
        continue;
      }
      if (attribute.deprecated === true) this.#say(at, 'is deprecated');
      this.#attribute(member, attribute, at);
      if (!derived.has(name)) this.#caption(value, name, attribute, at);
    }
    for (const [name, attribute] of Object.entries(definition.attributes)) {
      if (attribute.requirement === 'required' && this.#applies(attribute) && value[name] === undefined)
        this.#say(`${path}${name}`, 'is required');
    }
    for (const [rule, names] of Object.entries(definition.constraints ?? {})) {
      const present = names.filter((name) => value[name] !== undefined).length;
      if (present === 0 || (rule === 'just_one' && present > 1))
        this.#say(path.slice(0, -1) || 'event', `breaks ${rule} of ${names.join(', ')}`);
    }
  }

  #applies({ profile }: Attribute): boolean {
    return profile === undefined || this.#profiles.has(profile);
  }

  #attribute(value: unknown, attribute: Attribute, at: string): void {
    if (attribute.array !== true) return this.#single(value, attribute, at);
    if (!Array.isArray(value)) return this.#say(at, 'is not a list');
    for (const [index, item] of value.entries()) this.#single(item, attribute, `${at}[${index}]`);
  }

  #single(value: unknown, { type }: Attribute, at: string): void {
    if (type === 'object') {
      if (!isObject(value)) this.#say(at, 'is not an object');
      return;
    }
    if (Object.hasOwn(this.#schema.types, type)) {
      if (!this.#isOfType(value, type)) this.#say(at, `is not a ${type}: ${JSON.stringify(value)}`);
      return;
    }
    const definition = this.#schema.objects[type];
    if (definition === undefined) return this.#say(at, `is of the object ${type}, which is not kept here`);
    if (!isObject(value)) return this.#say(at, 'is not an object');
    this.members(value, definition, `${at}.`);
  }

  #isOfType(value: unknown, type: string): boolean {
    const { type: base, regex, max_len: longest, range } = this.#schema.types[type] ?? {};
    if (regex !== undefined && !(typeof value === 'string' && new RegExp(regex).test(value))) return false;
    if (longest !== undefined && String(value).length > longest) return false;
    if (range !== undefined && !(Number(value) >= range[0] && Number(value) <= range[1])) return false;
    switch (base ?? type) {
      case 'string_t':
        return typeof value === 'string' && value.isWellFormed();
      case 'integer_t':
      case 'long_t':
        // Milliseconds of this century: a time in seconds would be long past.
        return Number.isSafeInteger(value) && (type !== 'timestamp_t' || Number(value) > 1e12);
      case 'float_t':
        return typeof value === 'number';
      case 'boolean_t':
        return typeof value === 'boolean';
      case 'json_t':
        return true;
      default:
        return false;
    }
  }

  #caption(value: Readonly<Record<string, unknown>>, name: string, attribute: Attribute, at: string): void {
    const values = attribute.enum;
    if (values === undefined || attribute.array === true) return;
    const id = String(value[name]);
    if (!Object.hasOwn(values, id)) return this.#say(at, `has no value ${id}`);
    const told = attribute.sibling === undefined ? undefined : value[attribute.sibling];
    if (id !== '99' && told !== undefined && told !== values[id])
      this.#say(at, `${id} is called ${values[id] ?? ''}, not ${JSON.stringify(told)}`);
    if (id === '99' && attribute.sibling !== undefined && told === undefined)
      this.#say(at, `is Other, and ${attribute.sibling} does not say what`);
  }

  #say(at: string, problem: string): void {
    this.#problems.push(`${at}: ${problem}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
