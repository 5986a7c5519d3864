import type { AttributeValue } from '../../store/changes.ts';
export type AttributeSource = 'request' | 'resource' | 'principal' | 'environment';
export interface ConditionContext {
  readonly action: string;
  readonly subOperation: string | null;
  attribute(source: AttributeSource, name: string): AttributeValue | undefined;
}
export interface CompiledCondition {
  evaluate(context: ConditionContext): 'true' | 'false' | 'error';
}
export function compileCondition(_text: string): { kind: 'ok'; condition: CompiledCondition } | { kind: 'error' } {
  return { kind: 'error' };
}
