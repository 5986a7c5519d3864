/** A finding: why something is not to be believed. */
export interface Refusal {
  readonly ok: false;
  /** What is wrong, precisely, in words. */
  readonly reason: string;
}

const longest = 1_000;

/** What the reason quotes may be of anybody: it is told at no great length, and as a terminal may show it. */
export function refusal(reason: string): Refusal {
  const told = reason.length > longest ? `${reason.slice(0, longest)}…` : reason;
  return { ok: false, reason: printable(told, () => '\u{fffd}') };
}

/** JSON text with everything escaped in it that a terminal acts on, or that turns the direction of writing. */
export function printableJson(text: string): string {
  return printable(text, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function printable(text: string, instead: (unit: string) => string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, instead);
}
