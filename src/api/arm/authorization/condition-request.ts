import { editDistance } from '../../../config/nearest-key.ts';
import { attributeNames, attributesOfAzureAlone } from '../../../gateway/attribute-names.ts';
import { attributesIn } from '../../../policy/conditions/compile.ts';
import { parseCondition } from '../../../policy/conditions/parse.ts';
import type { AttributeOperand } from '../../../policy/conditions/syntax.ts';
import { refusal } from './refusals.ts';

/**
 * A condition as a client sends it, in the one version that there is; null for none. Throws `invalid_request` with
 * where and why it is no condition, and for an attribute that is misspelt, which Azure refuses too.
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
  const misspelt = misspeltIn(text, attributesIn(parsed.condition));
  if (misspelt !== null) throw refusal('invalid_request', 'InvalidCondition', misspelt);
  return text;
}

const knownNames = [...Object.keys(attributeNames), ...attributesOfAzureAlone];
const known: ReadonlyMap<string, string> = new Map(knownNames.map((name) => [name.toLowerCase(), name]));
/** So near to a known name a name of somebody's own is a slip. */
const mostWrong = 2;

/**
 * Of attributes that are almost what a request carries, what Azure says of the first, and what was meant; null for none. Names
 * of others pass: decision points bring their own, people have custom security attributes, resources any tags.
 */
function misspeltIn(text: string, attributes: Iterable<AttributeOperand>): string | null {
  for (const { source, name } of attributes) {
    const asked = `@${source}[${name}]`.toLowerCase();
    if (source === 'principal' || known.has(asked) || /(?:^|\/)(?:tags|metadata)[:&]/.test(name)) continue;
    const meant = nearestOf(asked);
    if (meant === null) continue;
    const at = text.toLowerCase().indexOf(name.toLowerCase());
    const written = at < 0 ? name : text.slice(at, at + name.length);
    const kind = { request: 'Request', resource: 'Resource', environment: 'Environment' }[source];
    return `${kind} attribute ${written} is not valid. Did you mean ${meant}?`;
  }
  return null;
}

/** The same name of another source, or one that is a few letters away. */
function nearestOf(asked: string): string | null {
  const name = asked.slice(asked.indexOf('['));
  let best: string | null = null;
  let fewest = mostWrong + 1;
  for (const [lower, meant] of known) {
    const other = lower.slice(lower.indexOf('['));
    if (Math.abs(other.length - name.length) > mostWrong) continue;
    const wrong = editDistance(name, other);
    if (wrong < fewest) [best, fewest] = [meant, wrong];
  }
  return best;
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
