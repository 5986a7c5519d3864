import { plain, type Style } from './style.ts';

export interface Column<Row> {
  readonly title: string;
  value(row: Row): string | null;
  readonly align?: 'right';
}

const gap = '  ';

/**
 * Aligned columns under a dim heading; a column without any value is left out. On a terminal the last column is cut
 * with an ellipsis to fit; elsewhere nothing is cut.
 */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  style: Style,
  width: number | null,
): string {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row) ?? '')));
  const shown = columns
    .map((column, i) => ({ column, i }))
    .filter(({ i }) => cells.some((row) => row[i] !== ''));
  if (shown.length === 0) return '';
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((row) => (row[i] ?? '').length)),
  );
  const line = (row: readonly string[]) => {
    const padded = shown.map(({ column, i }, at) => {
      const cell = row[i] ?? '';
      if (column.align === 'right') return cell.padStart(widths[i] ?? 0);
      return at === shown.length - 1 ? cell : cell.padEnd(widths[i] ?? 0);
    });
    return cut(padded.join(gap).trimEnd(), width);
  };
  return [style.dim(line(columns.map((column) => column.title))), ...cells.map(line)].join('\n');
}

/** Names and values, one pair a line; pairs whose value is null are left out. */
export function facts(pairs: readonly (readonly [string, string | null])[], style: Style): string {
  const shown = pairs.filter(([, value]) => value !== null);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .map(([name, value]) => {
      const [first = '', ...rest] = (value ?? '').split('\n').map(plain);
      const lines = [first, ...rest.map((text) => ' '.repeat(width + gap.length) + text)];
      return style.dim(name.padEnd(width)) + gap + lines.join('\n');
    })
    .join('\n');
}

function oneLine(text: string): string {
  return plain(text.replace(/\s+/g, ' ').trim());
}

function cut(text: string, width: number | null): string {
  return width === null || text.length <= width ? text : text.slice(0, Math.max(1, width - 1)) + '…';
}
