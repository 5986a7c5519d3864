import { plain, type Style } from './style.ts';

export interface Column<Row> {
  readonly title: string;
  value(row: Row): string | null;
  readonly align?: 'right';
}

const gap = '  ';
const indent = '    ';
/** Below this many columns prose is no longer wrapped beside the rest, but beneath it. */
const narrowest = 24;

/**
 * Aligned columns under a dim heading; a column without any value is left out. Nothing is ever cut: what does not fit a
 * terminal goes on in the next line, the last column beside itself where it is prose, whole columns otherwise.
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
  const cellsOf = (row: readonly string[]) =>
    shown.map(({ column, i }) => {
      const cell = row[i] ?? '';
      return column.align === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0);
    });
  const lineOf = layout(
    shown.map(({ i }) => widths[i] ?? 0),
    cells.some((row) => row[shown.at(-1)?.i ?? 0]?.includes(' ')),
    width,
  );
  const heading = lineOf(cellsOf(columns.map((column) => column.title)));
  return [...heading.map((line) => style.dim(line)), ...cells.flatMap((row) => lineOf(cellsOf(row)))].join(
    '\n',
  );
}

/** How the padded cells of a row become lines. */
function layout(
  widths: readonly number[],
  prose: boolean,
  width: number | null,
): (cells: readonly string[]) => readonly string[] {
  const total = widths.reduce((sum, each) => sum + each + gap.length, -gap.length);
  if (width === null || total <= width) return (cells) => [cells.join(gap).trimEnd()];
  const before = total - (widths.at(-1) ?? 0);
  if (prose && width - before >= narrowest) {
    return (cells) => {
      const [first = '', ...more] = wrapped((cells.at(-1) ?? '').trimEnd(), width - before);
      const head = [...cells.slice(0, -1), first].join(gap).trimEnd();
      return [head, ...more.map((line) => ' '.repeat(before) + line)];
    };
  }
  return (cells) => {
    const lines: string[] = [];
    let line = '';
    for (const [at, cell] of cells.entries()) {
      if (line !== '' && line.length + gap.length + (widths[at] ?? 0) > width) {
        lines.push(line.trimEnd());
        line = indent + cell;
      } else line = line === '' ? cell : line + gap + cell;
    }
    return [...lines, line.trimEnd()].filter((each) => each.trim() !== '');
  };
}

/** Lines of at most so many columns, broken between words; a word that is longer stays whole. */
function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/**
 * Lines of a table of which nobody knows what is to come: each column is as wide as its widest cell so far, as long as
 * that is no wider than `widest`; a longer one stands out. Nothing is cut.
 */
export function growingTable(widest: number): (cells: readonly string[]) => string {
  const widths: number[] = [];
  return (cells) =>
    cells
      .map((cell, i) => {
        const text = oneLine(cell);
        widths[i] = Math.max(widths[i] ?? 0, Math.min(text.length, widest));
        return text.padEnd(widths[i]);
      })
      .join(gap)
      .trimEnd();
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
