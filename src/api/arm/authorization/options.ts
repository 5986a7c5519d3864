import type { RequestHead, Described } from '../../../gateway/types.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import type { Commit, PrincipalRecord } from '../../../store/changes.ts';
import type { DecisionPointOptions } from './access-answer.ts';
import type { AuthorizationPath } from './authorization-path.ts';

export interface AuthorizationOptions extends DecisionPointOptions {
  readonly commit: Commit;
  /** The directory's answer to "who is this?". */
  readonly principal: (id: PrincipalId) => PrincipalRecord | undefined;
}

/** Describes the requests of one resource type; null for a method or shape it does not know. */
export type TypeDescriber = (
  head: RequestHead,
  path: AuthorizationPath,
  options: AuthorizationOptions,
) => Described | null;
