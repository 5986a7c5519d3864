import type { ConditionNode, Operand, Scalar } from './syntax.ts';
import { operators } from './operators.ts';

const sources = {
  request: 'Request',
  resource: 'Resource',
  principal: 'Principal',
  environment: 'Environment',
} as const;

/** The condition in one canonical form; parsed again it is the same condition. */
export function printCondition(node: ConditionNode): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.parts.map(inParentheses).join(node.kind === 'and' ? ' AND ' : ' OR ');
    case 'not':
      return `!(${printCondition(node.part)})`;
    case 'action-matches':
      return `ActionMatches{${quoted(node.pattern)}}`;
    case 'sub-operation-matches':
      return `SubOperationMatches{${quoted(node.name)}}`;
    case 'exists':
      return `Exists ${printOperand(node.attribute, 'string')}`;
    case 'compare': {
      const type = operators.get(node.operator.toLowerCase())?.type ?? 'string';
      const operator = node.quantifier === null ? node.operator : `${node.quantifier}:${node.operator}`;
      return `${printOperand(node.left, type)} ${operator} ${printOperand(node.right, type)}`;
    }
  }
}

export function printOperand(operand: Operand, type: string): string {
  if (operand.kind === 'attribute') return `@${sources[operand.source]}[${operand.name}]`;
  const values = operand.values.map((value) => printValue(value, type));
  return operand.set ? `{${values.join(', ')}}` : values.join();
}

function printValue(value: Scalar, type: string): string {
  if (type === 'time') return quoted(`${String(value)}Z`);
  return type === 'string' ? quoted(String(value)) : String(value);
}

function inParentheses(node: ConditionNode): string {
  return `(${printCondition(node)})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
