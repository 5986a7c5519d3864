import { readJson, type JsonNode } from './json-text.ts';

/** In this order: what a member after another would do to it is then done to what was not decided on. */
const texts = [
  'experiment_id',
  'run_id',
  'run_uuid',
  'model_id',
  'trace_id',
  'request_id',
  'name',
  'new_name',
  'source_run_id',
  'artifact_location',
];
const lists = ['experiment_ids', 'run_ids', 'trace_ids', 'request_ids'];

/**
 * The body with what names a place before everything else. MLflow reads a body member by member, stops at the first
 * that is malformed, and often goes on with what it has by then: an experiment that stands behind that one is none, which
 * to MLflow is the default one, or all. Values stay as they were written, and so does a body that is in order.
 */
export function placesFirst(bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const { text, root } = readJson(bytes);
  if (root.kind !== 'object') return bytes;
  const { members } = root;
  const first = new Set([
    ...texts.filter((name) => members.get(name)?.kind === 'string'),
    ...lists.filter((name) => isListOfTexts(members.get(name))),
  ]);
  const names = [...members.keys()];
  if (names.slice(0, first.size).every((name) => first.has(name))) return bytes;
  const written = [...first, ...names.filter((name) => !first.has(name))].map((name) => {
    const { start = 0, end = 0 } = members.get(name) ?? {};
    return `${JSON.stringify(name)}:${text.slice(start, end)}`;
  });
  return Buffer.from(`{${written.join(',')}}`);
}

function isListOfTexts(node: JsonNode | undefined): boolean {
  return node?.kind === 'array' && node.items.every(({ kind }) => kind === 'string');
}
