import { z } from 'zod';
import type { AccessAnswer } from './access-answer.ts';
import { accessAnswers, requireTrustedWithAttributes, timeToLiveMilliseconds } from './access-answer.ts';
import { accessQuestion } from './access-question.ts';
import { guarded, json, jsonBody } from './exchanges.ts';
import type { TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { denyAssignmentBody, roleAssignmentBody } from './representations.ts';

/**
 * Azure's decision point in the form of api-version 2018-09-01-preview: may this principal do these actions at
 * this resource? Groups in the request are not believed: membership is resolved here. The resource must lie within
 * the scope of the address, at which the caller needs the right to ask.
 */
export const describeCheckAccess: TypeDescriber = (head, { scope, name }, options) => {
  if (head.method !== 'POST' || name !== null) return null;
  return guarded('checkAccess/read', scope, 'read', jsonBody, async (exchange) => {
    const question = accessQuestion(exchange.json(z.unknown()), options.tenantId);
    if (!options.snapshot.isWithin(question.scope, scope)) {
      throw refusal('invalid_request', 'InvalidResource', `Resource.Id must be a scope within ${scope}.`);
    }
    await requireTrustedWithAttributes(exchange, question);
    return json(200, accessAnswers(question, options).map(answerBody));
  });
};

function answerBody({ access, decision, roleAssignment, denyAssignment }: AccessAnswer): object {
  return {
    actionId: access.action,
    isDataAction: access.dataAction,
    accessDecision: decision,
    roleAssignment: roleAssignment && roleAssignmentBody(roleAssignment, access.scope),
    denyAssignment: denyAssignment && denyAssignmentBody(denyAssignment),
    timeToLiveInMs: timeToLiveMilliseconds,
  };
}
