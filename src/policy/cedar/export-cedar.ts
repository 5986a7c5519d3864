import type { DenyAssignment, Permission, RoleAssignment, RoleDefinition } from '../../store/changes.ts';
import { compileCondition } from '../conditions/compile.ts';
import type { AttributeOperand } from '../conditions/syntax.ts';
import type { PolicyRows } from '../snapshot.ts';
import { policyIdOf } from '../types.ts';
import { ActionGroups, operationsOf, permissionGroup, type ExportedOperation } from './actions.ts';
import { cedarCondition } from './condition.ts';
import { cedarEntities, type CedarEntity } from './entities.ts';
import { Identities } from './identities.ts';
import { cedarSchema, type CedarSchema } from './schema.ts';
import { scopeOf, ScopeTree } from './scopes.ts';
import { allOf, anyOf, cedarEntity, cedarString, not } from './text.ts';

/** The whole policy in Cedar's terms, to be asked with this schema. */
export interface CedarExport {
  /** Sequence of the last change that it contains. */
  readonly version: number;
  /** By the policy id that Lockstep names in its decisions. */
  readonly policies: readonly CedarPolicy[];
  readonly entities: readonly CedarEntity[];
  readonly schema: CedarSchema;
  /** What Cedar decides otherwise than Lockstep, or what is not there because it changes nothing. */
  readonly notes: readonly ExportNote[];
}

export interface CedarPolicy {
  readonly id: string;
  readonly text: string;
}

/**
 * `not-expressible`: a condition, or its named part, that Cedar has no words for. A grant is left out then, whole or by
 * the permission that has the condition; a denial applies whatever the condition says: Cedar never allows what
 * Lockstep denies. `without-effect`: an assignment that gives or denies nothing, and has no policy.
 */
export interface ExportNote {
  readonly kind: 'not-expressible' | 'without-effect';
  readonly policyId: string;
  readonly part: string | null;
  readonly why: string;
}

/** What Cedar will be asked about besides what the policy and the catalogue name. */
export interface FurtherQuestions {
  readonly scopes?: readonly string[];
  readonly operations?: readonly ExportedOperation[];
}

/** Throws a RangeError for a scope that is none. */
export function exportCedar(
  rows: PolicyRows,
  { scopes = [], operations = [] }: FurtherQuestions = {},
): CedarExport {
  const tree = new ScopeTree(rows);
  const writer = new PolicyWriter(rows, operations);
  const policies = [...standing, ...writer.grants(), ...writer.denials()];
  return {
    version: rows.version,
    policies,
    entities: cedarEntities(rows, writer.identities, tree, tree.scopes(scopes)),
    schema: cedarSchema(writer.groups, writer.asked),
    notes: writer.notes,
  };
}

/** The policies as one text, each with its id as annotation, and what there is to note as comments. */
export function cedarText({ version, policies, notes }: CedarExport): string {
  const said = notes.map(
    ({ kind, policyId, part, why }) =>
      `// ${kind}: ${policyId}: ${part === null ? '' : `${oneLine(part)}: `}${oneLine(why)}\n`,
  );
  return `// Lockstep's policy at revision ${version}.\n${said.join('')}\n${policies.map(({ text }) => text).join('\n\n')}\n`;
}

const standing: readonly CedarPolicy[] = [
  policy('forbid', policyIdOf({ kind: 'unknown-principal' }), ['principal', 'action', 'resource'], {
    unless: ['principal has enabled'],
  }),
  policy('forbid', policyIdOf({ kind: 'disabled-principal' }), ['principal', 'action', 'resource'], {
    when: ['principal has enabled && !principal.enabled'],
  }),
];

/** Two expressions of Cedar; `null` where there is no condition. */
type Gate = { readonly holds: string; readonly fails: string } | 'not-expressible' | null;

class PolicyWriter {
  readonly identities: Identities;
  readonly groups: ActionGroups;
  readonly notes: ExportNote[] = [];
  readonly asked: AttributeOperand[] = [];
  readonly #rows: PolicyRows;

  constructor(rows: PolicyRows, operations: readonly ExportedOperation[]) {
    this.#rows = rows;
    this.identities = new Identities(rows);
    this.groups = new ActionGroups(operationsOf(rows, operations));
  }

  *grants(): Generator<CedarPolicy> {
    const roles = new Map(this.#rows.roleDefinitions.map((role) => [role.id, role]));
    for (const grant of this.#rows.roleAssignments) {
      const role = roles.get(grant.roleDefinitionId);
      if (role) yield* this.#grant(grant, role);
      else this.#note('without-effect', idOfGrant(grant), null, `there is no role ${grant.roleDefinitionId}`);
    }
  }

  *denials(): Generator<CedarPolicy> {
    for (const denial of this.#rows.denyAssignments) yield* this.#denial(denial);
  }

  *#grant(grant: RoleAssignment, role: RoleDefinition): Generator<CedarPolicy> {
    const id = idOfGrant(grant);
    const gate = this.#gate(id, grant.condition);
    if (gate === 'not-expressible') return;
    const parts = this.#permissions(id, 'role', role, ({ gate: own }) => {
      if (own === 'not-expressible') return null;
      return own === null ? 'true' : own.holds;
    });
    if (parts === null) return;
    const scope = [
      this.identities.holder(grant.principalId),
      parts.action,
      `resource in ${cedarEntity('Scope', scopeOf(grant.scope))}`,
    ];
    yield policy('permit', id, scope, {
      when: [parts.test, gate === null ? 'true' : gate.holds],
      annotations: { role: role.roleName },
    });
  }

  *#denial(denial: DenyAssignment): Generator<CedarPolicy> {
    const id = `denyAssignment:${denial.id}`;
    const gate = this.#gate(id, denial.condition);
    const applies = (own: Gate): string =>
      own === null || own === 'not-expressible' ? 'true' : not(own.fails);
    const parts = this.#permissions(id, 'deny', denial, ({ gate: own }) => applies(own));
    if (parts === null) return;
    const at = cedarEntity('Scope', scopeOf(denial.scope));
    const scope = [
      'principal',
      parts.action,
      `resource ${denial.doNotApplyToChildScopes ? '==' : 'in'} ${at}`,
    ];
    yield policy('forbid', id, scope, {
      when: [this.identities.isDenied(denial.principals), parts.test, applies(gate)],
      unless: [this.identities.isExcluded(denial.excludePrincipals)],
      annotations: { name: denial.name },
    });
  }

  /**
   * The actions of a role or a denial: as a policy's scope, and, where permissions have conditions of their own, what
   * remains to be tested. Null, and a note, if it holds none.
   */
  #permissions(
    policyId: string,
    kind: 'role' | 'deny',
    of: { readonly id: string; readonly permissions: readonly Permission[] },
    testOf: (permission: { readonly gate: Gate }) => string | null,
  ): { readonly action: string; readonly test: string } | null {
    const parts: { readonly group: string; readonly test: string }[] = [];
    let leftOut = false;
    for (const [i, permission] of of.permissions.entries()) {
      const group = this.groups.permission(permissionGroup(of, kind, i), permission);
      if (group === null) continue;
      const test = testOf({ gate: this.#gate(policyId, permission.condition) });
      if (test === null) leftOut = true;
      else parts.push({ group, test });
    }
    if (parts.length === 0) {
      if (!leftOut) this.#note('without-effect', policyId, null, 'it holds no operation that is known');
      return null;
    }
    const plain = parts.every(({ test }) => test === 'true');
    return {
      action: `action in [${parts.map(({ group }) => group).join(', ')}]`,
      test: plain ? 'true' : anyOf(parts.map(({ group, test }) => allOf([`action in ${group}`, test]))),
    };
  }

  /** A text that cannot be read is neither true nor false. */
  #gate(policyId: string, text: string | null | undefined): Gate {
    if (text === null || text === undefined || text.trim() === '') return null;
    const compiled = compileCondition(text);
    if (compiled.kind === 'error') return { holds: 'false', fails: 'false' };
    const { tree, attributes } = compiled.condition;
    const translated = cedarCondition(tree, this.groups.matches);
    if (translated.kind === 'not-expressible') {
      const { start, end } = translated.part;
      this.#note('not-expressible', policyId, text.slice(start, end), translated.why);
      return 'not-expressible';
    }
    this.asked.push(...attributes);
    return translated;
  }

  #note(kind: ExportNote['kind'], policyId: string, part: string | null, why: string): void {
    this.notes.push({ kind, policyId, part, why });
  }
}

function idOfGrant({ id }: RoleAssignment): string {
  return `roleAssignment:${id}`;
}

function policy(
  effect: 'permit' | 'forbid',
  id: string,
  scope: readonly string[],
  body: {
    readonly when?: readonly string[];
    readonly unless?: readonly string[];
    readonly annotations?: Readonly<Record<string, string>>;
  },
): CedarPolicy {
  const lines = Object.entries({ id, ...body.annotations }).map(
    ([name, value]) => `@${name}(${cedarString(value)})`,
  );
  lines.push(`${effect} (${scope.map((part) => `\n  ${part}`).join(',')}\n)`);
  for (const test of body.when ?? []) if (test !== 'true') lines.push(`when { ${test} }`);
  for (const test of body.unless ?? []) if (test !== 'false') lines.push(`unless { ${test} }`);
  return { id, text: `${lines.join('\n')};` };
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}
