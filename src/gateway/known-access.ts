import { isLockstepError, type LockstepError } from '../lib/errors.ts';
import type { Access } from '../policy/types.ts';
import type { BodyRead } from './bodies/request-body.ts';
import type { Guard } from './types.ts';

export type ActionGuard = Extract<Guard, { kind: 'action' }>;

/** What came of asking where an access lies. */
export type Located =
  { readonly kind: 'found'; readonly access: Access } | { readonly kind: 'failed'; readonly thrown: unknown };

/** What is decided on; where that is not all that could be known of it, the caller's fault that hides the rest. */
export interface KnownAccess {
  readonly access: Access;
  readonly bodyFault: LockstepError | null;
}

/** With the attributes of the body. Throws for a body that would change more of the access than those. */
export function accessWithBody(guard: ActionGuard, body: BodyRead | null): KnownAccess {
  const { access: plain } = guard;
  if (guard.accessFromBody === undefined) return { access: plain, bodyFault: null };
  if (body === null) throw new Error('a body that is to be decided on was not read');
  if (body.kind === 'failed') return { access: plain, bodyFault: body.error };
  let access: Access;
  try {
    access = guard.accessFromBody(body.bytes);
  } catch (thrown) {
    if (!isLockstepError(thrown)) throw thrown;
    return { access: plain, bodyFault: thrown };
  }
  const same = (['action', 'dataAction', 'scope'] as const).every((name) => access[name] === plain[name]);
  if (!same) throw new Error(`the body of ${plain.action} changed what is decided on`);
  return { access, bodyFault: null };
}

/** Where it lies, or where it would lie at most. Throws what finding the place threw, if that is no fault of the caller's. */
export function accessLocated(
  { access: plain }: ActionGuard,
  body: BodyRead | null,
  located: Located | null,
): KnownAccess {
  if (body?.kind === 'failed') return { access: plain, bodyFault: body.error };
  if (located === null) throw new Error('an access that is to be located was not');
  if (located.kind === 'failed') {
    const { thrown } = located;
    if (isLockstepError(thrown) && thrown.status < 500 && !isForNow(thrown))
      return { access: plain, bodyFault: thrown };
    throw thrown;
  }
  const { access } = located;
  const beneath =
    access.scope === plain.scope || access.scope.startsWith(plain.scope === '/' ? '/' : `${plain.scope}/`);
  if (access.action !== plain.action || access.dataAction !== plain.dataAction || !beneath) {
    throw new Error(`locating ${plain.action} changed what is decided on`);
  }
  return { access, bodyFault: null };
}

/** Of whom there is too much at the moment is to come again, whatever they may do at most. */
export function isForNow({ code }: LockstepError): boolean {
  return code === 'too_many_requests' || code === 'server_busy';
}
