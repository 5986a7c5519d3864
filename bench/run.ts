// npm run bench -- [NAME] [--json] [--only PART,…] [--size SIZE,…]: every figure that the documents give, each against a
// named peer or floor of the same run.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { BenchOptions, BenchRow } from './row.ts';

const {
  values,
  positionals: [wanted],
} = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, only: { type: 'string' }, size: { type: 'string' } },
});
const json = values.json ?? false;
const options: BenchOptions = {
  only: values.only?.split(',') ?? null,
  size: values.size?.split(',') ?? null,
};
/** Measuring programs end in `.bench.ts`; what they share does not. */
const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.bench.ts'));
const exact = files.filter((name) => name === `${wanted}.bench.ts`);
const selected =
  exact.length > 0 ? exact : files.filter((name) => wanted === undefined || name.includes(wanted));
if (selected.length === 0) {
  console.error(
    `no bench is named like ${wanted ?? ''}; there are: ${files.map((name) => name.replace('.bench.ts', '')).join(', ')}`,
  );
  process.exit(2);
}

const rows: BenchRow[] = [];
for (const file of selected) {
  if (!json) console.error(`measuring ${file.replace('.bench.ts', '')} …`);
  const { run } = (await import(`./${file}`)) as { run: (options: BenchOptions) => Promise<BenchRow[]> };
  const measured = await run(options);
  rows.push(...measured);
  if (json) for (const row of measured) console.log(JSON.stringify(row));
}
if (!json) printTable(rows);
process.exit(0);

function printTable(table: readonly BenchRow[]): void {
  const cells = table.map((row) => [
    row.name,
    `${figure(row.value)} ${row.unit}`,
    row.spread ?? '',
    row.peer === null ? '' : `${row.peer}${row.peerValue === null ? '' : `: ${figure(row.peerValue)}`}`,
    row.ratio === null ? '' : `× ${figure(row.ratio)}${row.ratioSpread ? ` (${row.ratioSpread})` : ''}`,
    row.target ?? '',
    row.met === null ? '' : row.met ? 'met' : 'NOT MET',
  ]);
  const lines = [['figure', 'value', 'spread', 'peer', 'ratio', 'target', ''], ...cells];
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

function figure(value: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (magnitude >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
