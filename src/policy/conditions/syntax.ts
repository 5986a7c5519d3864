/** Where an attribute comes from. */
export type AttributeSource = 'request' | 'resource' | 'principal' | 'environment';

export type Quantifier =
  'ForAnyOfAnyValues' | 'ForAllOfAnyValues' | 'ForAnyOfAllValues' | 'ForAllOfAllValues';

export type Scalar = string | number | boolean;

export interface AttributeOperand {
  readonly kind: 'attribute';
  readonly source: AttributeSource;
  /** In lower case, but for a tag key that is marked as one whose case counts. */
  readonly name: string;
}

export interface LiteralOperand {
  readonly kind: 'literal';
  readonly values: readonly Scalar[];
  /** Written in braces. */
  readonly set: boolean;
}

export type Operand = AttributeOperand | LiteralOperand;

/** Half-open range of characters of the text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A condition as a tree; every comparison is typed by its operator (see operators.ts). */
export type ConditionNode = Span &
  (
    | { readonly kind: 'and' | 'or'; readonly parts: readonly ConditionNode[] }
    | { readonly kind: 'not'; readonly part: ConditionNode }
    | { readonly kind: 'action-matches'; readonly pattern: string }
    | { readonly kind: 'sub-operation-matches'; readonly name: string }
    | { readonly kind: 'exists'; readonly attribute: AttributeOperand }
    | {
        readonly kind: 'compare';
        readonly quantifier: Quantifier | null;
        /** A name of operators.ts. */
        readonly operator: string;
        readonly left: Operand;
        readonly right: Operand;
      }
  );

/** Why a text is no condition, and where. */
export interface SyntaxProblem {
  readonly kind: 'error';
  /** Characters from the start. */
  readonly position: number;
  /** What is wrong, and what to write instead. */
  readonly message: string;
}
