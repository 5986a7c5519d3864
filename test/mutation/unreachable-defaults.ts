import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

interface Node {
  readonly type: string;
  readonly operator?: string;
  readonly computed?: boolean;
  readonly left?: Node;
}

/**
 * Leaves out the -1 of `column[i] ?? -1`: what is read is within the column, so that nothing can come by there; the
 * compiler asks for it nevertheless. That `??` itself stays one of the mutants.
 */
const ignorer = {
  shouldIgnore({
    node,
    key,
    parent,
  }: {
    node: Node;
    key?: unknown;
    parent?: Node | null;
  }): string | undefined {
    const isDefault = key === 'right' && parent?.type === 'LogicalExpression' && parent.operator === '??';
    const ofAnEntry = isDefault && parent.left?.type === 'MemberExpression' && parent.left.computed === true;
    const isNumber = node.type === 'NumericLiteral' || node.type === 'UnaryExpression';
    return ofAnEntry && isNumber ? 'an entry of a column is always there' : undefined;
  },
};

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, 'unreachable-defaults', ignorer)];
