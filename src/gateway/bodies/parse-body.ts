import type { ZodType } from 'zod';
import { failure, LockstepError } from '../../lib/errors.ts';
import { characters } from './json-characters.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
/** Far more than any client nests; what walks a value need not fear for its stack. */
const deepestNesting = 200;

/** Throws `invalid_json`, or `invalid_request` naming the first member that does not fit. */
export function parseJson<T>(bytes: Buffer, schema: ZodType<T>): T {
  if (bytes.length === 0) throw failure('invalid_json', 'A JSON request body is needed; there is none.');
  let value: unknown;
  try {
    const text = utf8.decode(bytes);
    if (nestsTooDeep(text)) throw new RangeError(`it nests more than ${deepestNesting} levels deep`);
    value = JSON.parse(text);
  } catch (cause) {
    throw new LockstepError({
      code: 'invalid_json',
      publicMessage: 'The request body is not valid JSON in UTF-8.',
      cause,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const member = issue === undefined || issue.path.length === 0 ? '(the whole body)' : issue.path.join('.');
  throw failure('invalid_request', `${member}: ${issue?.message ?? 'does not fit'}`, { member });
}

/** Looks at brackets outside of strings only; whether the text is JSON at all is seen later. */
function nestsTooDeep(text: string): boolean {
  const { openBrace, closeBrace, openBracket, closeBracket, quote, backslash } = characters;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === backslash) i += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (code === openBracket || code === openBrace) {
      depth += 1;
      if (depth > deepestNesting) return true;
    } else if (code === closeBracket || code === closeBrace) depth -= 1;
  }
  return false;
}

/** Throws `invalid_request` for a field that stands twice (RFC 6749 §3.1). */
export function parseForm(bytes: Buffer): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new LockstepError({ code: 'invalid_request', publicMessage: 'The form is not UTF-8.', cause });
  }
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) {
      throw failure('invalid_request', `The field \`${name.slice(0, 100)}\` stands twice.`);
    }
    fields.set(name, value);
  }
  return fields;
}
