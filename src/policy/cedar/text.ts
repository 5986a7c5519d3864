/** A string literal of Cedar; in a pattern `*` is to be escaped with what this leaves alone (see cedarPattern). */
export function cedarString(text: string): string {
  return `"${escaped(text)}"`;
}

/** A pattern of Cedar's `like`: null stands for its `*`. */
export function cedarPattern(parts: readonly (string | null)[]): string {
  return `"${parts.map((part) => (part === null ? '*' : escaped(part).replaceAll('*', '\\*'))).join('')}"`;
}

/** `type` without its namespace, e.g. `Scope`. */
export function cedarEntity(type: string, id: string): string {
  return `${namespace}::${type}::${cedarString(id)}`;
}

export const namespace = 'Lockstep';

/** Whether Cedar, whose strings are Unicode scalar values, can hold the text as it is. */
export function isCedarText(text: string): boolean {
  return text.isWellFormed();
}

export function allOf(parts: readonly string[]): string {
  return joined(parts, ' && ', 'true', 'false');
}

export function anyOf(parts: readonly string[]): string {
  return joined(parts, ' || ', 'false', 'true');
}

export function not(part: string): string {
  if (part === 'true') return 'false';
  return part === 'false' ? 'true' : `!(${part})`;
}

/** Without what changes nothing; each part that has an operator in it stands in parentheses. */
function joined(parts: readonly string[], operator: string, neutral: string, decisive: string): string {
  if (parts.includes(decisive)) return decisive;
  const telling = parts.filter((part) => part !== neutral);
  const [only] = telling;
  if (only === undefined) return neutral;
  return telling.length === 1 ? only : telling.map((part) => `(${part})`).join(operator);
}

function escaped(text: string): string {
  let out = '';
  for (const char of text) {
    if (char === '"' || char === '\\') out += `\\${char}`;
    else out += char < ' ' || char > '~' ? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}` : char;
  }
  return out;
}
