import { failure } from '../../lib/errors.ts';

export const longestReason = 500;

/**
 * What a person writes for whoever is to grant something: some lines of plain text. Characters that steer a terminal or
 * turn text around are refused, for it is shown in both. Throws `invalid_request`, which says what is wrong.
 */
export function reasonOf(written: string): string {
  const reason = written.replaceAll(/\r\n?/g, '\n').trim();
  if (reason === '') throw wrong('Say in a sentence why you need it.');
  if (Array.from(reason).length > longestReason) {
    throw wrong(`A reason has at most ${longestReason} characters.`);
  }
  if (/(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u.test(reason.replaceAll('\u200d', ''))) {
    throw wrong(
      'A reason is plain text; it holds a character that is not shown, such as a control character.',
    );
  }
  return reason;
}

function wrong(sentence: string): Error {
  return failure('invalid_request', sentence, { target: 'reason' });
}
