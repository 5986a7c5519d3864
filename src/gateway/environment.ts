import type { Access, AttributeSet } from '../policy/types.ts';
import type { ActorRef } from '../store/changes.ts';
import { inAccess } from './attribute-names.ts';

const utcNow = inAccess('@Environment[UtcNow]');
const ci = {
  issuer: inAccess('@Environment[Lockstep.Access/ci:issuer]'),
  repository: inAccess('@Environment[Lockstep.Access/ci:repository]'),
  ref: inAccess('@Environment[Lockstep.Access/ci:ref]'),
  environment: inAccess('@Environment[Lockstep.Access/ci:environment]'),
};

/** When it is (milliseconds since the epoch), and from which CI run the chain begins: what conditions may ask of both. */
export function environmentOf(chain: readonly ActorRef[], now: number): AttributeSet {
  const run = chain.find((link) => link.kind === 'ci-run')?.ci;
  return {
    [utcNow]: new Date(now).toISOString(),
    ...(run === undefined ? {} : { [ci.issuer]: run.issuer }),
    ...(run?.repository === undefined ? {} : { [ci.repository]: run.repository }),
    ...(run?.ref === undefined ? {} : { [ci.ref]: run.ref }),
    ...(run?.environment === undefined ? {} : { [ci.environment]: run.environment }),
  };
}

/** One question to policy at one moment. */
export interface TimedQuestion {
  readonly access: Access;
  /** Whether a condition has asked what time it is. */
  readonly asked: () => boolean;
}

/** The access as it would be asked at `now` (milliseconds since the epoch), whatever time it was first asked at. */
export function questionAt(access: Access, now: number): TimedQuestion {
  let asked = false;
  const { attributes } = access;
  const environment = Object.defineProperty({ ...attributes?.environment }, utcNow, {
    enumerable: true,
    get: () => {
      asked = true;
      return new Date(now).toISOString();
    },
  });
  return { access: { ...access, attributes: { ...attributes, environment } }, asked: () => asked };
}

/** The access in that environment, whatever it says of one itself. */
export function withEnvironment(access: Access, environment: AttributeSet): Access {
  const { attributes } = access;
  return {
    ...access,
    attributes: { ...attributes, environment: { ...attributes?.environment, ...environment } },
  };
}
