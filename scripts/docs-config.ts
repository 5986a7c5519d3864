// Writes docs/reference/config.md and docs/reference/config.schema.json from the configuration schema; --check compares.
import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { writeOrCheck } from './write-or-check.ts';

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  /** The shapes that a value with a `kind` may have. */
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
}

const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
const rows: string[] = [];
collect('', schema as Node);

await writeOrCheck(
  'docs/reference/config.md',
  [
    '# Configuration',
    '',
    'Lockstep reads `$LOCKSTEP_CONFIG`, or `config.json` in `$LOCKSTEP_HOME` (default `./.lockstep`); without a file the',
    'defaults hold. An unknown key is an error that names the nearest valid one: `lockstep config check`.',
    'A secret is given by reference, `{ "file": … }` or `{ "env": … }`, never in the file itself.',
    '`{name}` stands for a key of your choice, `[]` for each element of a list.',
    '',
    '| Setting | Type | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n'),
);
await writeOrCheck('docs/reference/config.schema.json', JSON.stringify(schema, null, 2) + '\n');

function collect(path: string, node: Node): void {
  const inner = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
  const leaf = node.properties === undefined && inner === undefined && node.items?.properties === undefined;
  if (path !== '' && (leaf || node.description !== undefined)) {
    const fallback = leaf && node.default !== undefined ? `\`${JSON.stringify(node.default)}\`` : '';
    const row = `| \`${path}\` | ${typeOf(node)} | ${fallback} | ${node.description ?? ''} |`;
    // What every shape of a union has is said once.
    if (!rows.includes(row)) rows.push(row);
  }
  for (const [key, child] of Object.entries(node.properties ?? {}))
    collect(path === '' ? key : `${path}.${key}`, child);
  for (const shape of inner?.oneOf ?? (inner?.properties ? [inner] : [])) collect(`${path}.{name}`, shape);
  if (node.items?.properties) collect(`${path}[]`, node.items);
}

function typeOf(node: Node): string {
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (typeof node.const === 'string') return `\`${node.const}\``;
  const types = node.anyOf?.map(({ type }) => type);
  if (types?.every((type) => type === 'string' || type === 'array')) return types.join(' or ');
  return node.type ?? 'reference';
}
