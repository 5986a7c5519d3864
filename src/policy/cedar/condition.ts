import { operators } from '../conditions/operators.ts';
import type { ConditionNode } from '../conditions/syntax.ts';
import { placesOf } from './attribute-places.ts';
import { comparison } from './comparison.ts';
import { allOf, anyOf, cedarPattern, isCedarText, not } from './text.ts';

/** A condition as two Cedar expressions, which never fail: that it is true, and that it is false. Neither: an error. */
export interface CedarCondition {
  readonly kind: 'ok';
  readonly holds: string;
  readonly fails: string;
}

/** A part that Cedar has no words for. */
export interface NotExpressible {
  readonly kind: 'not-expressible';
  readonly part: ConditionNode;
  readonly why: string;
}

/** An expression: the action is one of those of the catalogue that match. */
export type ActionTest = (pattern: string) => string;

/** Exact, or not at all. Missing attributes as docs/decisions/0010-what-a-condition-cannot-tell.md has them. */
export function cedarCondition(
  node: ConditionNode,
  actionMatches: ActionTest,
): CedarCondition | NotExpressible {
  switch (node.kind) {
    case 'and':
    case 'or': {
      const holds: string[] = [];
      const fails: string[] = [];
      for (const part of node.parts) {
        const translated = cedarCondition(part, actionMatches);
        if (translated.kind === 'not-expressible') return translated;
        holds.push(translated.holds);
        fails.push(translated.fails);
      }
      return node.kind === 'and'
        ? { kind: 'ok', holds: allOf(holds), fails: anyOf(fails) }
        : { kind: 'ok', holds: anyOf(holds), fails: allOf(fails) };
    }
    case 'not': {
      const translated = cedarCondition(node.part, actionMatches);
      if (translated.kind === 'not-expressible') return translated;
      return { kind: 'ok', holds: translated.fails, fails: translated.holds };
    }
    case 'action-matches':
      return told(actionMatches(node.pattern));
    case 'sub-operation-matches': {
      if (!isCedarText(node.name)) return inexpressible(node, unpaired);
      const pattern = node.name
        .toLowerCase()
        .split('*')
        .flatMap((text, i) => (i === 0 ? [text] : [null, text]));
      return told(`context has subOperation && context.subOperation like ${cedarPattern(pattern)}`);
    }
    case 'exists': {
      const { attribute } = node;
      if (!isCedarText(attribute.name)) return inexpressible(node, unpaired);
      return told(anyOf(placesOf(attribute).map(({ guard, path }) => allOf([guard, `${path}.present`]))));
    }
    case 'compare': {
      const operator = operators.get(node.operator.toLowerCase());
      if (!operator) return inexpressible(node, `${node.operator} is not known`);
      const sides = [node.left, node.right];
      const texts = sides.flatMap((side) =>
        side.kind === 'attribute' ? [side.name] : side.values.map(String),
      );
      if (!texts.every(isCedarText)) return inexpressible(node, unpaired);
      const compared = comparison(node.operator, operator.type, node.quantifier, node.left, node.right);
      return 'why' in compared ? inexpressible(node, compared.why) : { kind: 'ok', ...compared };
    }
  }
}

const unpaired = 'it holds half a surrogate pair, which Cedar’s strings cannot';

function told(holds: string): CedarCondition {
  return { kind: 'ok', holds, fails: not(holds) };
}

function inexpressible(part: ConditionNode, why: string): NotExpressible {
  return { kind: 'not-expressible', part, why };
}
