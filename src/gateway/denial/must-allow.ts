import { errorTable, failure } from '../../lib/errors.ts';
import type { Decision } from '../../policy/types.ts';
import type { Exchange } from '../types.ts';
import { accessDenied } from './denial.ts';

/** Throws what a denied exchange is answered with. */
export function mustAllow(exchange: Exchange, decision: Decision): void {
  if (decision.allowed) return;
  if (exchange.caller === null)
    throw failure('authentication_required', errorTable.authentication_required.sentence);
  throw accessDenied(exchange.caller, decision);
}
