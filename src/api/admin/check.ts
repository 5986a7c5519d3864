import { z } from 'zod';
import { inAccess } from '../../gateway/attribute-names.ts';
import { environmentOf } from '../../gateway/environment.ts';
import type { Route } from '../../gateway/routes.ts';
import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';
import { isGuid, type PrincipalId } from '../../lib/ids.ts';
import { decideForAll } from '../../policy/decide.ts';
import { explain } from '../../policy/explain.ts';
import type { Explanation } from '../../policy/explanation.ts';
import { normalizeScope } from '../../policy/scope.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { policyIdOf, type Access, type AttributeSet } from '../../policy/types.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { requireAlso } from '../also.ts';
import { namesIn } from '../arm/authorization/resource-names.ts';
import { ownAccess, ownRule } from '../own-actions.ts';
import { isOperationName, knownOperation, nearestOperation } from './known-operations.ts';
import { party } from './parties.ts';
import { callerOf, ok, smallJson } from './replies.ts';
import { grantableBy } from './ways-on.ts';

const question = z.strictObject({
  /** Object id, user principal name or application id; the caller, with their whole chain, when left out. */
  principal: z.string().min(1).max(320).optional(),
  action: z.string().min(1).max(512),
  dataAction: z.boolean().optional(),
  scope: z.string().min(1).max(4096),
});

export interface CheckParts {
  readonly snapshot: PolicySnapshot;
  readonly clock: Clock;
  /** What the rules of connections ask for. */
  readonly ruleActions: readonly string[];
}

/**
 * Would this be allowed, and why? Nothing is done. Conditions are told the time, the caller's own CI run and the names in
 * the scope; what only a request itself could tell, such as a job's GPUs, is missing.
 */
export function checkRoutes({ snapshot, clock, ruleActions }: CheckParts): Route[] {
  const ofRules = new Set(ruleActions.map((action) => action.toLowerCase()));
  return [
    {
      method: 'POST',
      path: '/admin/v1/check',
      operation: 'Lockstep.Access/decisions/check/action',
      effect: 'read',
      body: smallJson,
      guard: () => ownRule('self'),
      async serve(exchange) {
        const asked = exchange.json(question);
        const { access: bare, warnings, inCatalogue } = accessOf(asked);
        const known = inCatalogue || ofRules.has(bare.action.toLowerCase()) || isInRole(snapshot, bare);
        const { authorities: own, subject, chain } = callerOf(exchange);
        const named = asked.principal === undefined ? null : principalOf(snapshot, asked.principal);
        const other = asked.principal !== undefined && named?.id !== subject.id;
        // Asked before anything is said of a principal that may not exist.
        if (other) await requireAlso(exchange, ownAccess('decisions/check/action'));
        if (other && named === null) {
          throw failure('not_found', `There is no principal \`${asked.principal}\`.`, {
            target: 'principal',
          });
        }
        const authorities = named === null || !other ? own : [named.id];
        const access = {
          ...bare,
          attributes: {
            resource: { ...namesIn(asked.scope), ...blobIn(bare.scope) },
            environment: environmentOf(other ? [] : chain, clock.now()),
          },
        };
        const { allowed, cause, decidedFor } = decideForAll(snapshot, authorities, access);
        const explained = explain(snapshot, authorities, access);
        const explanation = known ? explained : withoutRequests(explained);
        return ok({
          decision: {
            id: null,
            time: null,
            operation: null,
            chain:
              named === null || !other
                ? chain
                : [{ kind: named.kind, id: named.id, name: named.displayName }],
            allowed,
            reason: cause.kind,
            policyId: policyIdOf(cause),
            decidedFor: decidedFor === null ? null : party(snapshot, decidedFor),
            ...bare,
            snapshotVersion: snapshot.version,
          },
          explanation,
          grantable: await grantableBy(exchange, snapshot, explanation),
          known,
          warnings: known ? warnings : [...warnings, unknownWarning(bare.action)],
        });
      },
    },
  ];
}

/** Whether some role names the action itself: then something elsewhere asks for it. */
function isInRole(snapshot: PolicySnapshot, { action }: Access): boolean {
  const wanted = action.toLowerCase();
  for (const { permissions } of snapshot.roleDefinitions()) {
    for (const { actions, dataActions } of permissions) {
      if ([...actions, ...dataActions].some((named) => named.toLowerCase() === wanted)) return true;
    }
  }
  return false;
}

function unknownWarning(action: string): string {
  const near = nearestOperation(action);
  const meant = near === null ? '' : ` Did you mean ${near}?`;
  return `Nothing here asks for ${action}, neither Lockstep nor a rule of a connection.${meant}`;
}

/** A role would be given for nothing. */
function withoutRequests(explanation: Explanation): Explanation {
  const authorities = explanation.authorities.map((one) =>
    one.remedy === null ? one : { ...one, remedy: { ...one.remedy, request: null } },
  );
  return { ...explanation, authorities };
}

interface Asked {
  readonly access: Access;
  readonly warnings: readonly string[];
  readonly inCatalogue: boolean;
}

function accessOf(asked: z.infer<typeof question>): Asked {
  const { action } = asked;
  if (!isOperationName(action)) {
    const near = nearestOperation(action);
    throw failure(
      'invalid_request',
      `\`${action}\` is not an operation; it looks like Microsoft.MachineLearningServices/workspaces/jobs/write.` +
        (near === null ? '' : ` Did you mean \`${near}\`?`),
      { target: 'action', ...(near === null ? {} : { suggestion: near }) },
    );
  }
  const scope = normalizeScope(asked.scope);
  if (scope === null) {
    const near = asked.scope.startsWith('/') ? null : normalizeScope(`/${asked.scope}`);
    throw failure(
      'invalid_request',
      `\`${asked.scope}\` is not a scope; it looks like /subscriptions/{id}/resourceGroups/{name}/….` +
        (near === null ? '' : ` Did you mean \`${near}\`?`),
      { target: 'scope', ...(near === null ? {} : { suggestion: near }) },
    );
  }
  const known = knownOperation(action);
  const access = {
    action: known?.name ?? action,
    dataAction: asked.dataAction ?? known?.dataAction ?? false,
    scope,
  };
  const otherPlane = known !== undefined && known.dataAction !== access.dataAction;
  const warnings = otherPlane
    ? [
        `${known.name} is ${known.dataAction ? 'a data action' : 'no data action'}, but was asked as the other.`,
      ]
    : [];
  return { access, warnings, inCatalogue: known !== undefined };
}

const blob =
  /\/providers\/microsoft\.storage\/storageaccounts\/[^/]+\/blobservices\/[^/]+\/containers\/[^/]+\/blobs\/(.+)$/i;
const blobPath = inAccess('@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]');

/** The name of the blob at a scope in normal form, in which all but lower-case letters and digits may be percent-encoded. */
function blobIn(scope: string): AttributeSet {
  const name = blob.exec(scope)?.[1];
  if (name === undefined) return {};
  try {
    return { [blobPath]: decodeURIComponent(name) };
  } catch {
    return {};
  }
}

function principalOf(snapshot: PolicySnapshot, name: string): PrincipalRecord | null {
  const wanted = name.toLowerCase();
  const byId = isGuid(name) ? snapshot.principal(wanted as PrincipalId) : undefined;
  if (byId !== undefined) return byId;
  for (const record of snapshot.principals()) {
    if (record.signInName?.toLowerCase() === wanted) return record;
  }
  return null;
}
