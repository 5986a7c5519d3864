import { evaluatorOf, type ConditionContext, type Evaluate } from './evaluate.ts';
import { parseCondition } from './parse.ts';
import type { AttributeOperand, ConditionNode, SyntaxProblem } from './syntax.ts';
import { traceOf, type ConditionTrace } from './trace.ts';

export interface CompiledCondition {
  readonly text: string;
  readonly tree: ConditionNode;
  readonly evaluate: Evaluate;
  /** Every attribute that it may ask for. */
  readonly attributes: readonly AttributeOperand[];
  /** Why it is not true here: the part on which it fails, with the values on both sides. */
  explain(context: ConditionContext): ConditionTrace;
}

/** Compiles a condition once into functions that allocate nothing. */
export function compileCondition(
  text: string,
): { readonly kind: 'ok'; readonly condition: CompiledCondition } | SyntaxProblem {
  const parsed = parseCondition(text);
  if (parsed.kind === 'error') return parsed;
  const tree = parsed.condition;
  const condition: CompiledCondition = {
    text,
    tree,
    evaluate: evaluatorOf(tree),
    attributes: [...attributesIn(tree)],
    explain: (context) => traceOf(text, tree, context),
  };
  return { kind: 'ok', condition };
}

/** Every attribute that a condition names, in the order in which it does. */
export function* attributesIn(node: ConditionNode): Generator<AttributeOperand> {
  switch (node.kind) {
    case 'and':
    case 'or':
      for (const part of node.parts) yield* attributesIn(part);
      break;
    case 'not':
      yield* attributesIn(node.part);
      break;
    case 'exists':
      yield node.attribute;
      break;
    case 'compare':
      for (const side of [node.left, node.right]) if (side.kind === 'attribute') yield side;
      break;
    case 'action-matches':
    case 'sub-operation-matches':
      break;
  }
}
