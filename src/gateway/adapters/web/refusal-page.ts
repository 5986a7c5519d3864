import type { LockstepError } from '../../../lib/errors.ts';
import type { Reply, RequestHead } from '../../types.ts';

/** A request to a connection that has failed, asked for by somebody who is looking at their browser. */
export interface Refused {
  readonly error: LockstepError;
  readonly head: RequestHead;
  /** What the protocol's own error says. */
  readonly status: number;
  readonly connection: {
    readonly name: string;
    /** False under a path of ours, where no browser is ever signed in. */
    readonly onOwnHost: boolean;
  };
}

export type RefusalPage = (refused: Refused) => Reply;
