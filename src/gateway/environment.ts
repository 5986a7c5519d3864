import type { Access, AttributeSet } from '../policy/types.ts';
import type { ActorRef, AttributeValue } from '../store/changes.ts';
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

/** An environment that notices when it is asked what time it is. */
class TimedEnvironment {
  readonly [name: string]: AttributeValue;
  readonly #now: number;
  #asked = false;

  constructor(now: number, others: AttributeSet) {
    this.#now = now;
    for (const [name, value] of Object.entries(others))
      if (name !== utcNow) Object.defineProperty(this, name, { value, enumerable: true });
  }

  get [utcNow](): string {
    this.#asked = true;
    return new Date(this.#now).toISOString();
  }

  static wasAsked(environment: TimedEnvironment): boolean {
    return environment.#asked;
  }
}

/** The access as it would be asked at `now` (milliseconds since the epoch), whatever time it was first asked at. */
export function questionAt(access: Access, now: number): TimedQuestion {
  const { attributes } = access;
  const environment = new TimedEnvironment(now, attributes?.environment ?? {});
  return {
    access: { ...access, attributes: { ...attributes, environment } },
    asked: () => TimedEnvironment.wasAsked(environment),
  };
}

/** The access in that environment, whatever it says of one itself. */
export function withEnvironment(access: Access, environment: AttributeSet): Access {
  const { attributes } = access;
  return {
    ...access,
    attributes: { ...attributes, environment: { ...attributes?.environment, ...environment } },
  };
}
