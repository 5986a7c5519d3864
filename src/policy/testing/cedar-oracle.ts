import {
  checkParseEntities,
  preparsePolicySet,
  statefulIsAuthorized,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { PrincipalId } from '../../lib/ids.ts';
import { actionId } from '../cedar/actions.ts';
import { cedarAttribute, type CedarAttribute } from '../cedar/attribute.ts';
import type { CedarEntity, CedarUid } from '../cedar/entities.ts';
import { exportCedar, type CedarExport } from '../cedar/export-cedar.ts';
import type { PolicyRows } from '../snapshot.ts';
import type { Access, AttributeSet } from '../types.ts';

export interface CedarAnswer {
  readonly allowed: boolean;
  /** The determining policies. */
  readonly policyIds: readonly string[];
}

/** Cedar's own engine, deciding on the export of these rows. */
export class CedarOracle {
  readonly exported: CedarExport;
  readonly #asked: ReadonlySet<string>;
  readonly #entities: ReadonlyMap<string, CedarEntity>;
  readonly #actions: CedarExport['schema'][string]['actions'];

  constructor(rows: PolicyRows, asked: readonly Access[]) {
    this.exported = exportCedar(rows, {
      scopes: asked.map(({ scope }) => scope),
      operations: asked.map(({ action, dataAction }) => ({ name: action, isDataAction: dataAction })),
    });
    const { schema, entities } = this.exported;
    const read = preparsePolicySet('oracle', this.#policies());
    if (read.type !== 'success') throw new Error(`Cedar does not read the policies: ${JSON.stringify(read)}`);
    this.#actions = schema['Lockstep']?.actions ?? {};
    this.#entities = new Map(entities.map((entity) => [`${entity.uid.type} ${entity.uid.id}`, entity]));
    this.#asked = new Set(
      Object.entries(contextTypes(schema)).flatMap(([source, names]) =>
        names.map((name) => `${source} ${name}`),
      ),
    );
  }

  /** What Cedar's validator has against policies, schema or entities; empty when nothing. */
  problems(): unknown[] {
    const schema = plain(this.exported.schema);
    const validated = validate({ schema, policies: this.#policies() });
    const parsed = checkParseEntities({ entities: plain(this.exported.entities), schema });
    const problems: unknown[] = parsed.type === 'success' ? [] : [...parsed.errors];
    return [...problems, ...(validated.type === 'success' ? validated.validationErrors : validated.errors)];
  }

  /** Throws if Cedar meets an error, in the request or in any policy. The entities are those that the question touches. */
  decide(principal: PrincipalId, access: Access): CedarAnswer {
    const { action, dataAction, scope, subOperation, attributes } = access;
    const actionUid = uid('Action', actionId({ name: action.toLowerCase(), isDataAction: dataAction }));
    const principalUid = uid('Principal', principal);
    const resource = uid('Scope', scope.toLowerCase());
    const { memberOf = [] } = this.#actions[actionUid.id] ?? {};
    const answer = statefulIsAuthorized({
      preparsedPolicySetId: 'oracle',
      principal: principalUid,
      action: actionUid,
      resource,
      context: plain({
        ...(subOperation !== undefined && { subOperation: subOperation.toLowerCase() }),
        ...this.#attributes('request', attributes?.request),
        ...this.#attributes('resource', attributes?.resource),
        ...this.#attributes('environment', attributes?.environment),
      }),
      entities: plain([
        { uid: actionUid, attrs: {}, parents: memberOf.map(({ id }) => uid('Action', id)) },
        ...this.#withAncestors(principalUid),
        ...this.#withAncestors(resource),
      ]),
    });
    if (answer.type !== 'success') throw new Error(`Cedar does not answer: ${JSON.stringify(answer)}`);
    const { decision, diagnostics } = answer.response;
    if (diagnostics.errors.length > 0) throw new Error(`Cedar fails: ${JSON.stringify(diagnostics)}`);
    return { allowed: decision === 'allow', policyIds: diagnostics.reason };
  }

  #policies(): { staticPolicies: Record<string, string> } {
    return { staticPolicies: Object.fromEntries(this.exported.policies.map(({ id, text }) => [id, text])) };
  }

  #withAncestors(start: CedarUid): CedarEntity[] {
    const found = new Map<string, CedarEntity>();
    const left = [start];
    for (const { type, id } of left) {
      const entity = this.#entities.get(`${type} ${id}`);
      if (!entity || found.has(`${type} ${id}`)) continue;
      found.set(`${type} ${id}`, entity);
      left.push(...entity.parents);
    }
    return [...found.values()];
  }

  /** Those that a condition asks for: Cedar takes no others. */
  #attributes(source: string, set: AttributeSet = {}): Record<string, Record<string, CedarAttribute>> {
    const known = Object.entries(set).filter(([name]) => this.#asked.has(`${source} ${name}`));
    if (known.length === 0) return {};
    return { [source]: Object.fromEntries(known.map(([name, value]) => [name, cedarAttribute(value)])) };
  }
}

function contextTypes(schema: CedarExport['schema']): Record<string, string[]> {
  const shape = schema['Lockstep']?.commonTypes['RequestContext'] as {
    readonly attributes: Record<string, { readonly attributes?: object }>;
  };
  return Object.fromEntries(
    Object.entries(shape.attributes).map(([source, { attributes = {} }]) => [
      source,
      Object.keys(attributes),
    ]),
  );
}

function uid(type: string, id: string): CedarUid {
  return { type: `Lockstep::${type}`, id };
}

/** As Cedar would read it from a file. */
function plain(value: unknown): never {
  return JSON.parse(JSON.stringify(value)) as never;
}
