import type { Refused } from '../../gateway/adapters/web/refusal-page.ts';
import type { LockstepError } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import { decisionOf } from '../../gateway/denial/decision-of.ts';
import { explain } from '../../policy/explain.ts';
import type { Grantor, Remedy } from '../../policy/explanation.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { policyIdOf, type Access, type Cause, type Decision } from '../../policy/types.ts';
import { operationWords } from './operation-words.ts';

/** What a person may be told of a failure: no more than its JSON, and what `lockstep explain` answers them. */
export interface Refusal {
  readonly title: string;
  readonly sentences: readonly string[];
  /** The person whose request it was; null where nobody is signed in. */
  readonly person: { readonly name: string; readonly signInName: string | null } | null;
  /** Null where no decision is known. */
  readonly decision: {
    readonly id: string;
    /** Null where what was asked is not known. */
    readonly access: Access | null;
    readonly policyId: string;
    readonly policyName: string | null;
    /** Where the policy that refuses was written; null for one that is no policy of anybody's. */
    readonly policyScope: string | null;
  } | null;
  /** What would do; null where no role would. */
  readonly missing: Missing | null;
  /** The same request may do later. */
  readonly again: boolean;
}

export interface Missing {
  readonly role: Remedy['roles'][number];
  readonly scope: string;
  readonly grantors: readonly Grantor[];
  readonly moreGrantors: number;
}

export interface Told {
  readonly error: LockstepError;
  /** The connection that was asked; null where none was. */
  readonly connection:
    | (Refused['connection'] & {
        /** Where programs use what shows people nothing; null where its pages work at a host of its own. */
        readonly forProgramsAt: string | null;
      })
    | null;
}

type Words = Pick<Refusal, 'title' | 'sentences'>;

export function refusalOf({ error, connection }: Told, snapshot: PolicySnapshot): Refusal {
  const decision = decisionOf(error);
  const id = decision?.authorities[0] ?? null;
  const person = id === null ? null : personOf(snapshot, id);
  const refused = decision !== null && !decision.allowed && isAboutPolicy(decision.cause) ? decision : null;
  const missing = refused === null ? null : missingFrom(refused, refused.authorities[0], snapshot);
  const words =
    refused === null ? wordsOf(error, connection) : wordsOfPolicy(refused, person?.name ?? 'You', missing);
  return {
    ...words,
    person,
    decision: decision === null ? null : decisionTold(decision),
    missing,
    again: [429, 502, 503, 504].includes(error.status),
  };
}

/** What would let this person in whom a decision refused: one role at one scope. Null where none would be enough. */
export function missingFrom(
  { authorities, access }: Pick<Decision, 'authorities' | 'access'>,
  person: PrincipalId | undefined,
  snapshot: PolicySnapshot,
): Missing | null {
  const explained = explain(snapshot, authorities, access).authorities;
  const remedy = explained.find(({ principal }) => principal.id === person)?.remedy ?? null;
  const role = remedy?.roles[0];
  if (remedy?.request == null || role === undefined || !remedy.ifGranted.allowed) return null;
  const { grantors, moreGrantors, request } = remedy;
  return { role, scope: request.scope, grantors, moreGrantors };
}

function personOf(snapshot: PolicySnapshot, id: PrincipalId): Refusal['person'] {
  const record = snapshot.principal(id);
  return record === undefined ? null : { name: record.displayName, signInName: record.signInName };
}

function decisionTold({ id, access, cause, authorities }: Decision): NonNullable<Refusal['decision']> {
  const named = cause.kind === 'deny-assignment' ? cause : null;
  // Where things lie, and what they are to policy, is not for strangers.
  const isStranger = cause.kind === 'unauthenticated' || authorities.length === 0;
  return {
    id,
    access: cause.kind === 'unknown-route' || isStranger ? null : access,
    policyId: policyIdOf(cause),
    policyName: named?.name ?? null,
    policyScope: named?.scope ?? null,
  };
}

function isAboutPolicy({ kind }: Cause): boolean {
  return (
    kind === 'missing-grant' ||
    kind === 'deny-assignment' ||
    kind === 'disabled-principal' ||
    kind === 'unknown-principal'
  );
}

function wordsOfPolicy({ cause, access }: Decision, who: string, missing: Missing | null): Words {
  const what = `${inLine(who)} may not ${operationWords(access.action)} here`;
  switch (cause.kind) {
    case 'deny-assignment':
      return {
        title: 'A rule forbids this',
        sentences: [
          `${what}: the deny assignment “${inLine(cause.name)}” forbids it.`,
          'No role outweighs a deny assignment. Whoever wrote it has to end it, or to except you.',
        ],
      };
    case 'disabled-principal':
    case 'unknown-principal':
      return {
        title: 'This account is not active',
        sentences: [
          `${inLine(who)} is signed in with an account that is disabled, or is no longer there. No role changes that.`,
          'Ask an administrator, or sign in as somebody else.',
        ],
      };
    default:
      return {
        title: 'You do not have access to this',
        sentences: [
          `${what}: no role assignment grants it.`,
          ...(missing === null ? ['There is no role that could be assigned here and would be enough.'] : []),
        ],
      };
  }
}

function wordsOf(error: LockstepError, connection: Told['connection']): Words {
  const place = connection === null ? 'This address' : `“${connection.name}”`;
  const isNoPage = error.code === 'authentication_required' || error.code === 'unknown_route';
  if (isNoPage && connection !== null && connection.forProgramsAt !== null)
    return wordsForPrograms(connection.name, connection.forProgramsAt);
  switch (error.code) {
    case 'authentication_required':
      return {
        title: 'You are not signed in here',
        sentences:
          connection?.onOwnHost === true
            ? ['Nothing was done. Open the page itself, sign in, and go on from there.']
            : [
                'This address is for programs, which send a token. A browser is never signed in at it.',
                'The connection has a host of its own, at which people sign in.',
              ],
      };
    case 'revoked_token':
    case 'expired_token':
      return {
        title: 'Your sign-in has ended',
        sentences: [
          'You were signed out, your sign-in took too long, or your account was disabled.',
          'Open the page again to sign in. If that does not work, ask an administrator.',
        ],
      };
    case 'unknown_route':
    case 'method_not_allowed':
      return connection === null
        ? {
            title: 'There is nothing here',
            sentences: ['No connection has this address. Check its name, or ask whoever gave it to you.'],
          }
        : {
            title: 'This page is not described',
            sentences: [
              `${place} lets through only what an administrator has described, and this address is not among that. No role changes it.`,
            ],
          };
    case 'upstream_unreachable':
    case 'upstream_timeout':
    case 'upstream_unavailable':
      return {
        title: `${place} does not answer`,
        sentences: ['You may open it, but the service behind it cannot be reached at the moment.'],
      };
    case 'policy_unavailable':
    case 'stale_policy':
    case 'ledger_unavailable':
    case 'not_witnessed':
    case 'server_busy':
    case 'draining':
      return {
        title: 'Nothing can be opened at the moment',
        sentences: [
          error.publicMessage,
          'Nothing is let through that cannot be decided on and recorded. Try again in a moment.',
        ],
      };
    case 'csrf_refused':
      return {
        title: 'This came from another site',
        sentences: [
          'A page of another site has asked for this in your name, so nothing was done.',
          'If it was you, open the page itself and go on from there.',
        ],
      };
    default:
      return { title: 'That did not work', sentences: [error.publicMessage] };
  }
}

/** Of a notebook server whose `base_url` is the path at which programs address it: the one kind without pages that work. */
function wordsForPrograms(name: string, address: string): Words {
  return {
    title: `“${name}” serves programs only`,
    sentences: [
      `Its pages would come up empty in a browser. Programs use it at ${address} with a token, which \`lockstep token --connection ${name}\` prints.`,
      `Whoever runs it can open it to people: in the configuration of the notebook server \`base_url\` has to be \`/\`, and in Lockstep’s the \`upstream\` of the connection \`${name}\` an address without a path.`,
    ],
  };
}

/** Somebody's word within a sentence of ours: what would turn the rest of the sentence around is left out. */
function inLine(name: string): string {
  return name.replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '').slice(0, 200);
}
