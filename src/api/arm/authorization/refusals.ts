import { LockstepError, type ErrorCode } from '../../../lib/errors.ts';

/** An error with the code that Azure's clients know; the ARM surface renders `azureCode` in place of ours. */
export function refusal<Code extends ErrorCode>(
  code: Code,
  azureCode: string,
  publicMessage: string,
): LockstepError<Code> {
  return new LockstepError({ code, publicMessage, details: { azureCode } });
}
