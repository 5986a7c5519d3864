import { styleText } from 'node:util';

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  notice(text: string): string;
}

type Format = Parameters<typeof styleText>[0];

/** Colours when asked for, else the text as it is. */
export function styleFor(colour: boolean): Style {
  const paint = (format: Format) => (text: string) =>
    colour && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    bad: paint('red'),
    notice: paint('yellow'),
  };
}

/**
 * Text from a server as a terminal may safely show it: control characters, escape sequences and the marks that
 * turn the direction of writing are replaced, so that a name cannot forge output.
 */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\u{fffd}');
}
