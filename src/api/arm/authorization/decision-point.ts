import { z } from 'zod';
import type { RequestHead, Surface } from '../../../gateway/types.ts';
import { requireAlso } from '../../also.ts';
import { armErrorOf, armErrorReply, type ArmErrorContext } from '../errors.ts';
import {
  accessAnswers,
  requireTrustedWithAttributes,
  timeToLiveMilliseconds,
  type AccessAnswer,
  type DecisionPointOptions,
} from './access-answer.ts';
import { accessQuestion } from './access-question.ts';
import { json, jsonBody } from './exchanges.ts';
import { denyAssignmentBody, roleAssignmentBody } from './representations.ts';

export interface DecisionPointSurfaceOptions extends DecisionPointOptions, ArmErrorContext {
  /** Token audiences that are accepted, exact strings. */
  readonly audiences: readonly string[];
}

const path = '/providers/microsoft.authorization/checkaccess';
/** The first version whose questions name their scope in the body alone; before it, `check-access.ts` answers. */
const firstVersion = '2021';

/**
 * Azure's decision point in the form of api-version 2021-06-01-preview, which has one address for every resource. The
 * right to ask is needed at the resource that is asked of. Answers are in one page, whatever their number.
 * github.com/Azure/checkaccess-v2-go-sdk
 */
export function decisionPointSurface(options: DecisionPointSurfaceOptions): Surface {
  return {
    name: 'decision-point',
    matches: (head) => head.path.toLowerCase() === path && versionOf(head) >= firstVersion,
    audiences: options.audiences,
    acceptsSessionCookie: false,
    describe(head) {
      if (head.method !== 'POST') return null;
      return {
        operation: 'Microsoft.Authorization/checkAccess/read',
        guard: { kind: 'authenticated', rule: 'decision-point', scope: '/' },
        effect: 'read',
        body: jsonBody,
        async serve(exchange) {
          const question = accessQuestion(exchange.json(z.unknown()), options.tenantId);
          await requireAlso(exchange, {
            action: 'Microsoft.Authorization/checkAccess/read',
            dataAction: false,
            scope: question.scope,
          });
          await requireTrustedWithAttributes(exchange, question);
          return json(200, { value: accessAnswers(question, options).map(answerBody) });
        },
      };
    },
    renderError(error, head) {
      const body = armErrorOf(error, options);
      const flat = { statusCode: error.status, message: body.message };
      return armErrorReply(error, body, head, options, flat);
    },
  };
}

function versionOf({ query }: RequestHead): string {
  return query.get('api-version') ?? '';
}

/** What an assignment says, without the envelope that the resource manager puts it in; nothing stands for none. */
function answerBody({ access, decision, roleAssignment, denyAssignment }: AccessAnswer): object {
  return {
    actionId: access.action,
    isDataAction: access.dataAction,
    accessDecision: decision,
    ...(roleAssignment && { roleAssignment: flat(roleAssignmentBody(roleAssignment, access.scope)) }),
    ...(denyAssignment && { denyAssignment: flat(denyAssignmentBody(denyAssignment)) }),
    timeToLiveInMs: timeToLiveMilliseconds,
  };
}

function flat({ id, properties }: { readonly id: string; readonly properties: object }): object {
  return { id, ...properties };
}
