import type { Caller } from '../../identity/caller.ts';

/**
 * Whose part in a thing makes it the caller's own. A job speaks for its owner and may read what it had a part in
 * itself, never the rest of what is its owner's: the program that runs in it is not the owner.
 */
export function ownId({ subject, chain, credential }: Caller): string {
  return credential.leaseId === null ? subject.id : (chain.at(-1)?.id ?? '');
}
