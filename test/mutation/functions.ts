/** Half-open range of lines, counted from 1. */
export interface Lines {
  readonly from: number;
  readonly to: number;
}

/**
 * The lines of a function or method, by the form that the formatter gives it: it ends with the first closing brace
 * that is indented as its head is. Throws a RangeError when there is none of this name, or more than one.
 */
export function linesOf(source: string, name: string): Lines {
  const lines = source.split('\n');
  const head = new RegExp(
    `^( *)(?:export )?(?:(?:public|private|static|async|function\\*?|get|set) )*\\*?${name.replace('$', '\\$&')}(?:<.*>)?\\(`,
  );
  const found = lines.flatMap((line, i) => (head.test(line) && !line.endsWith(';') ? [i] : []));
  const [start] = found;
  if (start === undefined || found.length > 1) {
    throw new RangeError(`${found.length} functions are named ${name}: one is expected`);
  }
  const indent = head.exec(lines[start] ?? '')?.[1] ?? '';
  const length = lines.slice(start).indexOf(`${indent}}`);
  if (length < 0) throw new RangeError(`${name} has no end`);
  return { from: start + 1, to: start + length + 2 };
}
