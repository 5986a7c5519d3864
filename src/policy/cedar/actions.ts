import type { Permission, RoleDefinition } from '../../store/changes.ts';
import { compileActionPattern } from '../action-pattern.ts';
import { operationCatalogue } from '../operation-catalogue.ts';
import type { PolicyRows } from '../snapshot.ts';
import { cedarEntity } from './text.ts';

export interface ExportedOperation {
  /** In lower case. */
  readonly name: string;
  readonly isDataAction: boolean;
}

/** The operations of the catalogue, those that a role or a deny assignment names in full, and these. */
export function operationsOf(rows: PolicyRows, further: readonly ExportedOperation[]): ExportedOperation[] {
  const found = new Map<string, ExportedOperation>();
  const add = (name: string, isDataAction: boolean): void => {
    const operation = { name: name.toLowerCase(), isDataAction };
    if (!name.includes('*')) found.set(actionId(operation), operation);
  };
  for (const { operations } of operationCatalogue) {
    for (const { name, isDataAction } of operations) add(name, isDataAction);
  }
  for (const { permissions } of [...rows.roleDefinitions, ...rows.denyAssignments]) {
    for (const { actions, dataActions } of permissions) {
      for (const name of actions) add(name, false);
      for (const name of dataActions) add(name, true);
    }
  }
  for (const { name, isDataAction } of further) add(name, isDataAction);
  return [...found.values()];
}

/** The id of an operation's action in Cedar; actions and data actions are two planes. */
export function actionId({ name, isDataAction }: ExportedOperation): string {
  return `${isDataAction ? 'dataAction' : 'action'}:${name}`;
}

/** Sets of actions, as groups of actions in Cedar's schema: what each permission contains, what patterns match. */
export class ActionGroups {
  readonly operations: readonly ExportedOperation[];
  readonly #members = new Map<string, readonly ExportedOperation[]>();

  constructor(operations: readonly ExportedOperation[]) {
    this.operations = operations;
  }

  /** The group of what one permission contains, its wildcards spelled out; null if it contains nothing that is known. */
  permission(id: string, permission: Permission): string | null {
    const planes = [false, true].map((isDataAction) => {
      const include = isDataAction ? permission.dataActions : permission.actions;
      const exclude = isDataAction ? permission.notDataActions : permission.notActions;
      return { isDataAction, include: matcherOf(include), exclude: matcherOf(exclude) };
    });
    return this.#group(id, ({ name, isDataAction }) =>
      planes.some(
        (plane) => plane.isDataAction === isDataAction && plane.include(name) && !plane.exclude(name),
      ),
    );
  }

  /** As an expression: whether the action, of whichever plane, matches. */
  readonly matches = (pattern: string): string => {
    const group = this.#group(`matches:${pattern.toLowerCase()}`, ({ name }) => matcherOf([pattern])(name));
    return group === null ? 'false' : `action in ${group}`;
  };

  /** Every group, with the operations in it. */
  entries(): IterableIterator<[string, readonly ExportedOperation[]]> {
    return this.#members.entries();
  }

  #group(id: string, holds: (operation: ExportedOperation) => boolean): string | null {
    const members = this.#members.get(id) ?? this.operations.filter(holds);
    if (members.length === 0) return null;
    this.#members.set(id, members);
    return cedarEntity('Action', id);
  }
}

export function permissionGroup(
  of: RoleDefinition | { readonly id: string },
  kind: 'role' | 'deny',
  index: number,
): string {
  return `${kind}:${of.id}#${index}`;
}

function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const compiled = patterns.map(compileActionPattern);
  return (name) => compiled.some((pattern) => pattern.matches(name));
}
