import { parseCondition } from '../../../policy/conditions/parse.ts';
import { refusal } from './refusals.ts';

/**
 * A condition as a client sends it, in the one version that there is; null for none. Throws `invalid_request` with
 * where and why it is no condition.
 * learn.microsoft.com/azure/role-based-access-control/conditions-format
 */
export function conditionOf(
  text: string | null | undefined,
  version: string | null | undefined,
): string | null {
  if (text === null || text === undefined || text.trim() === '') return null;
  if (version !== '2.0') {
    throw refusal(
      'invalid_request',
      'ConditionVersionNotSupported',
      `A condition needs conditionVersion '2.0'; '${version ?? ''}' is not supported.`,
    );
  }
  const parsed = parseCondition(text);
  if (parsed.kind === 'error') {
    throw refusal(
      'invalid_request',
      'InvalidCondition',
      `The condition is not valid at character ${parsed.position}${placeIn(text, parsed.position)}: ` +
        `${parsed.message}${parsed.message.endsWith('?') ? '' : '.'}`,
    );
  }
  return text;
}

/** What stands at the place, so that nobody has to count characters; nothing at the end of the text. */
function placeIn(text: string, position: number): string {
  const rest = text
    .slice(position, position + 60)
    .replace(/\s+/g, ' ')
    .trim();
  if (rest === '') return '';
  return ` (at \`${rest.length > 30 ? `${rest.slice(0, 30)}…` : rest}\`)`;
}
