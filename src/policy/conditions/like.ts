/**
 * StringLike's patterns: `*` stands for any run of characters, `?` for one, `\` takes both literally. Time is bounded
 * by the product of the lengths, whatever the pattern; no regular expression is made from it.
 */
export function compileLike(pattern: string): (text: string) => boolean {
  const codes: number[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    if (char === '\\' && i + 1 < pattern.length) codes.push(pattern.charCodeAt(++i));
    else if (char === '*') {
      if (codes.at(-1) !== anyRun) codes.push(anyRun);
    } else codes.push(char === '?' ? anyOne : char.charCodeAt(0));
  }
  return (text) => matches(codes, text);
}

const anyRun = -1;
const anyOne = -2;

function matches(codes: readonly number[], text: string): boolean {
  let at = 0;
  let code = 0;
  /** Where the last run began, and how far it has been stretched. */
  let run = -1;
  let stretched = 0;
  while (at < text.length) {
    const wanted = codes[code];
    if (wanted === anyRun) {
      run = code++;
      stretched = at;
    } else if (wanted !== undefined && (wanted === anyOne || wanted === text.charCodeAt(at))) {
      at++;
      code++;
    } else if (run >= 0) {
      code = run + 1;
      at = ++stretched;
    } else return false;
  }
  while (codes[code] === anyRun) code++;
  return code === codes.length;
}
