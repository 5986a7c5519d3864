import type { AttributeValue } from '../../store/changes.ts';
import { evaluatorOf, type ConditionContext, type Truth } from './evaluate.ts';
import { operators } from './operators.ts';
import { printOperand } from './print.ts';
import type { AttributeOperand, ConditionNode, Operand } from './syntax.ts';

/** How a condition came out, and the part on which it fails. */
export interface ConditionTrace {
  readonly truth: Truth;
  /** Null when it is true. */
  readonly failing: FailingPart | null;
}

export interface FailingPart {
  /** As it stands in the condition. */
  readonly text: string;
  /** `error`: it cannot be told, since an attribute is missing or of another form. */
  readonly truth: Truth;
  /** What it compares, as written, with the value that was found; null for a missing attribute. */
  readonly sides: readonly { readonly text: string; readonly value: AttributeValue | null }[];
}

export function traceOf(text: string, tree: ConditionNode, context: ConditionContext): ConditionTrace {
  const truth = evaluatorOf(tree)(context);
  return { truth, failing: truth === 'true' ? null : failing(text, tree, context, 'true') };
}

/** The part to blame for a node that did not come out as wanted: a comparison if there is one, else a function. */
function failing(text: string, node: ConditionNode, context: ConditionContext, wanted: Truth): FailingPart {
  switch (node.kind) {
    case 'and':
    case 'or': {
      const off = node.parts.filter((part) => evaluatorOf(part)(context) !== wanted);
      const parts = off.map((part) => failing(text, part, context, wanted));
      return parts.find(({ sides }) => sides.length > 0) ?? parts.at(-1) ?? leaf(text, node, context);
    }
    case 'not': {
      if (node.part.kind === 'action-matches') return leaf(text, node, context);
      const part = failing(text, node.part, context, wanted === 'true' ? 'false' : 'true');
      // A comparison that is true under NOT is to be shown with its NOT.
      return part.truth === 'error' ? part : { ...part, text: spanned(text, node), truth: 'false' };
    }
    case 'action-matches':
    case 'sub-operation-matches':
    case 'exists':
    case 'compare':
      return leaf(text, node, context);
  }
}

function leaf(text: string, node: ConditionNode, context: ConditionContext): FailingPart {
  const truth = evaluatorOf(node)(context);
  return { text: spanned(text, node), truth, sides: sidesOf(node).map((side) => shown(side, node, context)) };
}

function sidesOf(node: ConditionNode): readonly Operand[] {
  if (node.kind === 'compare') return [node.left, node.right];
  return node.kind === 'exists' ? [node.attribute] : [];
}

function shown(
  operand: Operand,
  node: ConditionNode,
  context: ConditionContext,
): { text: string; value: AttributeValue | null } {
  const type = node.kind === 'compare' ? operators.get(node.operator.toLowerCase())?.type : undefined;
  const text = printOperand(operand, type ?? 'string');
  if (operand.kind === 'attribute') return { text, value: valueIn(operand, context) };
  const [first] = operand.values;
  if (!operand.set) return { text, value: first ?? null };
  return { text, value: operand.values.map(String) };
}

function valueIn({ source, name }: AttributeOperand, context: ConditionContext): AttributeValue | null {
  return context.attribute(source, name) ?? null;
}

function spanned(text: string, { start, end }: ConditionNode): string {
  return text.slice(start, end).replaceAll(/\s+/g, ' ');
}
