import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import type { SessionId } from '../../lib/ids.ts';
import type { SessionRecord } from '../../store/changes.ts';
import type { CookieKeys } from './cookie-keys.ts';
import type { Sessions } from './sessions.ts';

/** Holds the secret, at the connection's host. */
export const connectionSecretCookie = '__Host-lockstep-signing-in';

const codePurpose = 'connection-code';
const cookiePurpose = 'connection-cookie';
/** From our host to the connection's a browser goes at once. */
const codeMilliseconds = 60_000;
/** Codes that were used and could still be tried again. */
const mostUsed = 100_000;

const codeSchema = z.strictObject({
  session: z.string(),
  connection: z.string(),
  state: z.string(),
  path: z.string(),
  expiresAt: z.number(),
  nonce: z.string(),
});

/** What a browser has of the way from a connection to our host and back: it keeps the secret, we are shown the hash. */
export interface ConnectionSignInBegun {
  /** For a cookie at the connection's host. */
  readonly secret: string;
  /** SHA-256 of the secret. */
  readonly state: string;
}

/** `known`: a secret that the browser has already, of a way that it has not come to the end of. */
export function beginConnectionSignIn(known: string | null): ConnectionSignInBegun {
  const secret = known !== null && /^[\w-]{32}$/.test(known) ? known : randomBytes(24).toString('base64url');
  return { secret, state: stateOf(secret) };
}

function stateOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/**
 * Sign-ins at connections, each of which has an origin of its own, where no cookie of ours is sent. A cookie there names a
 * person's sign-in here and the one connection that it is for: it is worth nothing at any other, nor here, and ends with
 * the sign-in. A browser gets it for a code that it carries from here to there: for that browser, that connection, once,
 * within a minute.
 */
export class ConnectionSignIns {
  readonly #keys: Pick<CookieKeys, 'tag' | 'verify'>;
  readonly #sessions: Pick<Sessions, 'touch'>;
  readonly #clock: Clock;
  /** Nonces of codes, and when the code lapses; the oldest first. */
  readonly #used = new Map<string, number>();

  constructor(parts: {
    readonly keys: Pick<CookieKeys, 'tag' | 'verify'>;
    readonly sessions: Pick<Sessions, 'touch'>;
    readonly clock: Clock;
  }) {
    this.#keys = parts.keys;
    this.#sessions = parts.sessions;
    this.#clock = parts.clock;
  }

  /** `state` is what the browser was sent here with; `path` where it wanted to go, on the connection's host. */
  code(session: SessionId, connection: string, state: string, path: string): string {
    const text = JSON.stringify({
      session,
      connection,
      state,
      path,
      expiresAt: this.#clock.now() + codeMilliseconds,
      nonce: randomBytes(12).toString('base64url'),
    } satisfies z.infer<typeof codeSchema>);
    const payload = Buffer.from(text).toString('base64url');
    return `${payload}.${this.#keys.tag(codePurpose, payload)}`;
  }

  /** The cookie's value, and where to go; null for whatever is not a code for this connection and browser, or was used. */
  redeem(
    code: string,
    connection: string,
    secret: string | null,
  ): { readonly cookie: string; readonly path: string; readonly session: SessionRecord } | null {
    const [payload = '', tag = '', ...rest] = code.split('.');
    if (rest.length > 0 || !this.#keys.verify(codePurpose, payload, tag)) return null;
    const parsed = codeSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    const { expiresAt, nonce, path } = parsed;
    if (parsed.connection !== connection || secret === null || stateOf(secret) !== parsed.state) return null;
    const now = this.#clock.now();
    if (now >= expiresAt || this.#used.has(nonce)) return null;
    this.#use(nonce, expiresAt, now);
    const id = parsed.session as SessionId;
    const session = this.#sessions.touch(id);
    if (session === null) return null;
    return { cookie: `${id}.${this.#keys.tag(cookiePurpose, `${connection}\0${id}`)}`, path, session };
  }

  /** The open sign-in that a connection's cookie names, and notes that it was used; null for anything else. */
  fromCookie(value: string, connection: string): SessionRecord | null {
    const [id = '', tag = '', ...rest] = value.split('.');
    if (rest.length > 0 || !this.#keys.verify(cookiePurpose, `${connection}\0${id}`, tag)) return null;
    return this.#sessions.touch(id as SessionId);
  }

  #use(nonce: string, expiresAt: number, now: number): void {
    for (const [old, lapses] of this.#used) {
      if (now < lapses && this.#used.size < mostUsed) break;
      this.#used.delete(old);
    }
    this.#used.set(nonce, expiresAt);
  }
}

/** A path of the connection's that a browser may be sent on to: on that very host, whatever a browser makes of it. */
export function isOnwardPath(path: string): boolean {
  return path.length <= 2_048 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path);
}
