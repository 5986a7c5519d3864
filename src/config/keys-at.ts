import { z } from 'zod';
import { configSchema } from './schema.ts';

export interface KeysAt {
  /** What may stand there. */
  readonly keys: readonly string[];
  /** What may stand there in other kinds of the same thing. */
  readonly otherKinds: readonly { readonly kind: string; readonly keys: readonly string[] }[];
}

/** The keys that the schema allows at a path of this value: of things of several kinds, those of the kind that it is. */
export function keysAt(path: readonly PropertyKey[], value: unknown): KeysAt {
  let schemas = [z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode];
  let others: readonly SchemaNode[] = [];
  let at = value;
  for (const part of path) {
    at = memberOf(at, part);
    const kind = memberOf(at, 'kind');
    const shapes = schemas.flatMap(({ properties, additionalProperties, items }) => {
      const next = properties?.[String(part)] ?? additionalProperties ?? items;
      return typeof next === 'object' ? (next.oneOf ?? [next]) : [];
    });
    schemas = shapes.filter((shape) => kindOf(shape) === null || kindOf(shape) === kind);
    others = shapes.filter((shape) => !schemas.includes(shape));
  }
  return {
    keys: [...new Set(schemas.flatMap(({ properties }) => Object.keys(properties ?? {})))],
    otherKinds: others.flatMap((shape) => {
      const kind = kindOf(shape);
      return kind === null ? [] : [{ kind, keys: Object.keys(shape.properties ?? {}) }];
    }),
  };
}

interface SchemaNode {
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
}

function kindOf({ properties }: SchemaNode): string | null {
  const kind = properties?.['kind']?.const;
  return typeof kind === 'string' ? kind : null;
}

/** Of what is no object, nothing. */
export function memberOf(value: unknown, name: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name) as unknown;
}
