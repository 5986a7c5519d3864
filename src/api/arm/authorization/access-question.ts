import { z } from 'zod';
import { isGuid, type PrincipalId } from '../../../lib/ids.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import type { AttributeSet } from '../../../policy/types.ts';
import { refusal } from './refusals.ts';

const text = z.string().max(4_096);
const value = z.union([text, z.int(), z.boolean(), z.array(text).max(256), z.array(z.int()).max(256)]);
const attributes = z.record(z.string().min(1).max(512), value).nullish();

const body = z.object({
  subject: z.object({
    attributes: z.object({
      objectid: z.string(),
      applicationid: z.string().nullish(),
      tid: z.string().nullish(),
    }),
  }),
  actions: z
    .array(z.object({ id: z.string().min(1).max(512), isdataaction: z.boolean().nullish(), attributes }))
    .min(1)
    .max(500),
  resource: z.object({ id: z.string(), attributes }),
  environment: z.object({ attributes }).nullish(),
});

/** What the gateway or Lockstep itself says of a request; nobody else is believed about it. */
const ownWord = /^(?:utcnow$|lockstep\.access\/|microsoft\.(?:authorization|directory)\/|(?:.*\/)?tags:)/;

/** One question to the decision point. Attribute names are in lower case. */
export interface AccessQuestion {
  readonly subject: PrincipalId;
  /** The application through which the subject acts, where it is said. */
  readonly application: PrincipalId | null;
  readonly actions: readonly {
    readonly id: string;
    readonly dataAction: boolean;
    readonly request: AttributeSet;
  }[];
  /** In normal form. */
  readonly scope: string;
  /** As it was written. */
  readonly resourceId: string;
  readonly resource: AttributeSet;
  readonly environment: AttributeSet;
  /** Whether the request tells any attribute at all, and so has to be trusted with them. */
  readonly tellsAttributes: boolean;
}

/**
 * A question in the form of Azure's checkAccess, either version. Of the subject only its object id, application and
 * tenant are read: groups and roles in a request are not believed. Throws `invalid_request` (InvalidRequestContent,
 * InvalidSubject, InvalidResource, InvalidAttributes). github.com/Azure/checkaccess-v2-go-sdk
 */
export function accessQuestion(given: unknown, tenantId: string): AccessQuestion {
  const parsed = body.safeParse(lowerKeys(given, 4));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refusal('invalid_request', 'InvalidRequestContent', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { subject, actions, resource, environment } = parsed.data;
  const { objectid, applicationid, tid } = subject.attributes;
  if (tid && tid.toLowerCase() !== tenantId) {
    throw refusal('invalid_request', 'InvalidSubject', `The subject is of another tenant than ${tenantId}.`);
  }
  const scope = normalizeScope(resource.id);
  if (scope === null) throw refusal('invalid_request', 'InvalidResource', 'Resource.Id must be a scope.');
  const sets = [resource.attributes, environment?.attributes, ...actions.map((action) => action.attributes)];
  for (const name of sets.flatMap((set) => Object.keys(set ?? {}))) {
    if (!ownWord.test(name)) continue;
    const why = `'${name.slice(0, 200)}' is known here, and not taken from a request.`;
    throw refusal('invalid_request', 'InvalidAttributes', why);
  }
  return {
    subject: principalOf(objectid, 'ObjectId'),
    application: applicationid ? principalOf(applicationid, 'ApplicationId') : null,
    actions: actions.map((action) => ({
      id: action.id,
      dataAction: action.isdataaction ?? false,
      request: action.attributes ?? {},
    })),
    scope,
    resourceId: resource.id,
    resource: resource.attributes ?? {},
    environment: environment?.attributes ?? {},
    tellsAttributes: sets.some((set) => Object.keys(set ?? {}).length > 0),
  };
}

function principalOf(given: string, member: string): PrincipalId {
  const id = given.toLowerCase();
  if (isGuid(id)) return id as PrincipalId;
  throw refusal('invalid_request', 'InvalidSubject', `Subject.${member} must be a GUID.`);
}

/** Clients differ in the case of member names; two that differ in nothing else are refused, not merged. */
function lowerKeys(given: unknown, depth: number): unknown {
  if (depth < 0 || typeof given !== 'object' || given === null) return given;
  if (Array.isArray(given)) return given.map((item: unknown) => lowerKeys(item, depth - 1));
  const out = new Map<string, unknown>();
  for (const [key, member] of Object.entries(given)) {
    const lower = key.toLowerCase();
    if (out.has(lower)) {
      throw refusal('invalid_request', 'InvalidRequestContent', `'${lower.slice(0, 200)}' stands twice.`);
    }
    out.set(lower, lowerKeys(member, depth - 1));
  }
  return Object.fromEntries(out);
}
