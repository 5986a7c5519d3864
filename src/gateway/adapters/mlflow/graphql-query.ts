// The language alone: the whole of it takes ten times as long to load, at every start.
import {
  Kind,
  OperationTypeNode,
  parse,
  print,
  visit,
  type DocumentNode,
  type FieldNode,
  type ObjectValueNode,
  type OperationDefinitionNode,
  type SelectionNode,
  type ValueNode,
} from 'graphql/language';
import { failure } from '../../../lib/errors.ts';
import { member, readJson, type JsonNode } from './json-text.ts';

/** Tokens of a query. The page's longest has some two hundred. */
const mostTokens = 2_000;
const mostFields = 20;
/** Values in the variables. */
const mostValues = 10_000;
/** By which the answer names, for us alone, the model of a version. */
export const nameForUs = 'lockstepName';

/** One of the questions that a query asks. */
export interface RootField {
  readonly name: string;
  readonly input: GraphqlInput;
  /** Ways from the answer's `data` to lists of model versions, by the names in the answer. */
  readonly versionsAt: readonly (readonly string[])[];
}

/** What the argument `input` says. Throws `invalid_request` for what could be read in two ways. */
export interface GraphqlInput {
  /** Null where it is absent, null or empty. */
  one(name: string): string | null;
  /** Empty where it is absent. GraphQL takes one value for a list of it. */
  list(name: string): readonly string[];
}

export interface GraphqlQuery {
  readonly fields: readonly RootField[];
  /** What is sent on: what was understood, in one spelling, with the names of model versions asked for besides. */
  readonly body: Buffer;
}

/**
 * Reads a GraphQL request (spec.graphql.org/October2021, §2; a JSON object with `query` and `variables`) that asks in the
 * plainest way, as MLflow's page does: one operation, no fragments, no directives but `@component`, no defaults. Throws
 * `invalid_json` or `invalid_request` for all else: what could stand in two places, or not at all, cannot be decided on.
 */
export function readGraphql(bytes: Buffer): GraphqlQuery {
  const { text, root } = readJson(bytes, mostValues);
  if (root.kind !== 'object') throw failure('invalid_request', 'The request body must be a JSON object.');
  const query = member(root, 'query');
  if (query?.kind !== 'string') throw failure('invalid_request', '`query` must be a string.');
  const variables = member(root, 'variables');
  if (variables !== null && variables.kind !== 'object')
    throw failure('invalid_request', '`variables` must be an object.');
  const document = parsed(query.value);
  const operation = operationOf(document);
  const roots = fieldsOf(operation.selectionSet.selections).filter(({ name }) => name.value !== '__typename');
  if (roots.length > mostFields)
    throw failure('invalid_request', `A query asks at most ${mostFields} things here; send several.`);
  const fields = roots.map((field): RootField => ({
    name: field.name.value,
    input: inputOf(field, variables),
    versionsAt: versionsIn(field, []),
  }));
  const said = variables === null ? '' : `,"variables":${text.slice(variables.start, variables.end)}`;
  return {
    fields,
    body: Buffer.from(`{"query":${JSON.stringify(print(withNames(document)))}${said}}`),
  };
}

function parsed(query: string): DocumentNode {
  try {
    return parse(query, { noLocation: true, maxTokens: mostTokens });
  } catch {
    throw failure('invalid_request', '`query` is no GraphQL, or longer than is taken here.');
  }
}

function operationOf(document: DocumentNode): OperationDefinitionNode {
  const [operation, ...more] = document.definitions;
  if (more.length > 0 || operation?.kind !== Kind.OPERATION_DEFINITION)
    throw failure('invalid_request', 'One GraphQL operation at a time, without fragments.');
  if (operation.operation === OperationTypeNode.SUBSCRIPTION)
    throw failure('invalid_request', 'There are no subscriptions here.');
  if (operation.variableDefinitions?.some(({ defaultValue }) => defaultValue !== undefined) === true)
    throw failure('invalid_request', 'Variables have no default values here.');
  visit(operation, {
    Directive: ({ name }) => {
      if (name.value !== 'component')
        throw failure(
          'invalid_request',
          `The directive \`@${name.value.slice(0, 40)}\` is not understood here.`,
        );
    },
    Field: ({ alias, name }) => {
      if (alias?.value === nameForUs || (name.value.startsWith('__') && name.value !== '__typename'))
        throw failure('invalid_request', `\`${(alias ?? name).value.slice(0, 40)}\` is not asked for here.`);
    },
  });
  return operation;
}

function fieldsOf(selections: readonly SelectionNode[]): FieldNode[] {
  return selections.map((selection) => {
    if (selection.kind !== Kind.FIELD)
      throw failure('invalid_request', 'Fragments are not understood here: write the fields out.');
    return selection;
  });
}

/** Wherever they stand: every part of an answer that is called so holds versions of models. */
function versionsIn(field: FieldNode, above: readonly string[]): string[][] {
  const at = [...above, (field.alias ?? field.name).value];
  const beneath = fieldsOf(field.selectionSet?.selections ?? []).flatMap((inner) => versionsIn(inner, at));
  return field.name.value === 'modelVersions' ? [at, ...beneath] : beneath;
}

function withNames(document: DocumentNode): DocumentNode {
  const name = { kind: Kind.NAME, value: 'name' } as const;
  const added: FieldNode = { kind: Kind.FIELD, name, alias: { kind: Kind.NAME, value: nameForUs } };
  return visit(document, {
    Field: (field) =>
      field.name.value !== 'modelVersions' || field.selectionSet === undefined
        ? undefined
        : {
            ...field,
            selectionSet: { ...field.selectionSet, selections: [...field.selectionSet.selections, added] },
          },
  });
}

function inputOf(field: FieldNode, variables: JsonNode | null): GraphqlInput {
  const [argument, ...more] = field.arguments ?? [];
  if (more.length > 0 || (argument !== undefined && argument.name.value !== 'input'))
    throw failure('invalid_request', `\`${field.name.value.slice(0, 60)}\` takes one argument, \`input\`.`);
  const value = argument?.value;
  if (value === undefined) return ofMembers(() => null);
  if (value.kind === Kind.VARIABLE) {
    const given = member(variables, value.name.value);
    if (given !== null && given.kind !== 'object')
      throw failure('invalid_request', '`input` must be an object.');
    return ofMembers((name) => member(given, name));
  }
  if (value.kind !== Kind.OBJECT) throw failure('invalid_request', '`input` must be an object.');
  return ofMembers((name) => memberOf(value, name, variables));
}

type Given = JsonNode | ValueNode | null;

function memberOf(object: ObjectValueNode, name: string, variables: JsonNode | null): Given {
  const [found, ...more] = object.fields.filter((field) => field.name.value === name);
  if (more.length > 0) throw failure('invalid_request', `\`${name}\` stands twice.`);
  if (found === undefined) return null;
  return found.value.kind === Kind.VARIABLE ? member(variables, found.value.name.value) : found.value;
}

function ofMembers(find: (name: string) => Given): GraphqlInput {
  return {
    one: (name) => {
      const given = find(name);
      return isNothing(given) ? null : textOf(name, given) || null;
    },
    list: (name) => {
      const given = find(name);
      if (isNothing(given)) return [];
      if (given?.kind === 'array') return given.items.map((item) => textOf(name, item));
      if (given?.kind === Kind.LIST) return given.values.map((item) => textOf(name, item));
      return [textOf(name, given)];
    },
  };
}

function isNothing(given: Given): boolean {
  return given === null || given.kind === 'null' || given.kind === Kind.NULL;
}

function textOf(name: string, given: Given): string {
  if (given?.kind !== 'string' && given?.kind !== Kind.STRING)
    throw failure('invalid_request', `\`${name}\` must be text.`);
  const { value } = given;
  if (value.includes('\ufffd') || /\p{Cc}/u.test(value) || value.length > 4096)
    throw failure('invalid_request', `\`${name}\` holds what no name holds.`);
  return value;
}
