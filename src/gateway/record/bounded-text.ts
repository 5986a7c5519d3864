/**
 * Text of a stranger, fit for a record: control, bidirectional and line-separating characters escaped as `\u{…}`,
 * cut at `longest` characters with the number of the missing ones shown.
 */
export function boundedText(text: string, longest: number): string {
  const kept = text.length > longest ? text.slice(0, longest) : text;
  const escaped = quiet.test(kept)
    ? kept
    : kept.replace(unfit, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return kept.length === text.length ? escaped : `${escaped}…[+${text.length - longest}]`;
}

const quiet = /^[\x20-\x7e]*$/;
const unfit = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
