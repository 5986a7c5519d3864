import { failure } from '../../../lib/errors.ts';
import { member, readJson, type JsonNode } from './json-text.ts';

/**
 * What a request to MLflow says of the things it touches, read as MLflow reads it and with no room for another reading:
 * a GET by its query, everything else by its JSON object. A name that stands twice, that comes in protobuf's other
 * spelling (`runId`), or that holds what is no text, is refused, never resolved.
 */
export interface Values {
  /** Null where it is absent, null or empty. */
  one(name: string): string | null;
  /** Empty where it is absent. */
  list(name: string): readonly string[];
  /** The JSON value; null for a query. */
  readonly root: JsonNode | null;
}

/** MLflow takes a thousand metrics of six members each in its largest batch. */
const mostValues = 100_000;

export function valuesOfQuery(rawQuery: string): Values {
  const query = readQuery(rawQuery);
  return {
    root: null,
    one(name) {
      const [value = '', ...more] = query.getAll(name).map((text) => plainText(name, text));
      if (more.length > 0) throw failure('invalid_request', `The parameter \`${name}\` stands twice.`);
      return value === '' ? null : value;
    },
    list: (name) => query.getAll(name).map((text) => plainText(name, text)),
  };
}

/** Of the raw query after its `?`: a second one belongs to the first name, as it does for MLflow. */
export function readQuery(rawQuery: string): URLSearchParams {
  // The constructor takes one away.
  return new URLSearchParams(`?${rawQuery}`);
}

/** An empty body is an empty object. Throws `invalid_json` or `invalid_request`. */
export function valuesOfBody(bytes: Buffer): Values {
  const { root, text } = readJson(bytes.length === 0 ? Buffer.from('{}') : bytes, mostValues);
  protoNamed(root);
  return {
    root,
    one(name) {
      const node = member(root, name);
      if (node === null) return null;
      if (node.kind !== 'string') throw wrongValue(name, node, text, 'a string');
      return node.value === '' ? null : plainText(name, node.value);
    },
    list(name) {
      const node = member(root, name);
      if (node === null) return [];
      if (node.kind !== 'array') throw wrongValue(name, node, text, 'an array of strings');
      return node.items.map((item) => {
        if (item.kind !== 'string') throw wrongValue(name, item, text, 'an array of strings');
        return plainText(name, item.value);
      });
    },
  };
}

/** In MLflow's own words, which programs may look for. What is text of the caller's is not repeated. */
function wrongValue(name: string, node: JsonNode, text: string, wanted: string): Error {
  const told = node.kind === 'other' ? ` ${text.slice(node.start, node.end).slice(0, 100)}` : '';
  return failure(
    'invalid_request',
    `Invalid value${told} for parameter '${name}' supplied: \`${name}\` must be ${wanted}.`,
  );
}

/**
 * The node, if it is an object whose members have protobuf's own names: its JSON mapping takes `run_id` and `runId`
 * alike, so a second spelling would be a second value. Throws `invalid_request`.
 */
export function protoNamed(node: JsonNode | null): JsonNode & { kind: 'object' } {
  if (node?.kind !== 'object') throw failure('invalid_request', 'The request body must be a JSON object.');
  for (const name of node.members.keys()) {
    if (/[A-Z]/.test(name)) {
      throw failure('invalid_request', `\`${name.slice(0, 100)}\`: members are written in snake_case.`);
    }
  }
  return node;
}

function plainText(name: string, text: string): string {
  // What is not UTF-8 was replaced, and MLflow may have replaced it otherwise.
  if (text.includes('\ufffd') || /\p{Cc}/u.test(text) || text.length > 4096) {
    throw failure('invalid_request', `\`${name}\` holds what no name holds.`);
  }
  return text;
}
