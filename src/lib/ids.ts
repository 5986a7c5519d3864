import { randomBytes, randomUUID } from 'node:crypto';
import { RandomPool } from './random-pool.ts';

declare const brand: unique symbol;
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

export type EventId = Branded<string, 'EventId'>;
export type DecisionId = Branded<string, 'DecisionId'>;
export type SessionId = Branded<string, 'SessionId'>;
export type LeaseId = Branded<string, 'LeaseId'>;
export type RequestId = Branded<string, 'RequestId'>;
/** The object id of a principal: a lower-case GUID. */
export type PrincipalId = Branded<string, 'PrincipalId'>;
export type TenantId = Branded<string, 'TenantId'>;
/** A secret in clear; it must never be logged, stored or put into an error. */
export type Secret = Branded<string, 'Secret'>;

const crockford = '0123456789abcdefghjkmnpqrstvwxyz';
const random = new RandomPool(16);
/** Most ids are of the same millisecond as the one before. */
let lastTime = { milliseconds: -1, text: '' };

/** 26 characters, ordered by time to the millisecond (the ULID layout, in lower case), 80 random bits. */
export function timeOrderedId(nowMilliseconds: number): string {
  if (lastTime.milliseconds !== nowMilliseconds)
    lastTime = { milliseconds: nowMilliseconds, text: timeText(nowMilliseconds) };
  let id = lastTime.text;
  for (const byte of random.next()) id += crockford.charAt(byte & 31);
  return id;
}

function timeText(milliseconds: number): string {
  let text = '';
  let rest = milliseconds;
  for (let i = 0; i < 10; i++) {
    text = crockford.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

export function newEventId(now: number): EventId {
  return `evt_${timeOrderedId(now)}` as EventId;
}

export function newRequestId(now: number): RequestId {
  return `req_${timeOrderedId(now)}` as RequestId;
}

export function newDecisionId(now: number): DecisionId {
  return `dec_${timeOrderedId(now)}` as DecisionId;
}

export function newSessionId(now: number): SessionId {
  return `ses_${timeOrderedId(now)}` as SessionId;
}

export function newLeaseId(now: number): LeaseId {
  return `lea_${timeOrderedId(now)}` as LeaseId;
}

/** Of a request for access. */
export function newAccessRequestId(now: number): string {
  return `acr_${timeOrderedId(now)}`;
}

export function newGuid(): string {
  return randomUUID();
}

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isGuid(text: string): boolean {
  return guid.test(text);
}

/** 256 random bits, base64url. None begins with a hyphen: after `--password` command lines take such a one for an option. */
export function newSecret(): Secret {
  const secret = randomBytes(32).toString('base64url');
  return secret.startsWith('-') ? newSecret() : (secret as Secret);
}
