import { createHash } from 'node:crypto';
import { errors, type Adapter, type AdapterFactory, type AdapterPayload } from 'oidc-provider';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { canonicalJson, type Json } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import type { SessionId } from '../../lib/ids.ts';
import type { Sessions } from '../../identity/signin/sessions.ts';
import type { Schema } from '../../store/schema.ts';

export interface AdapterParts {
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
  readonly sessions: Sessions;
  /** Client metadata as the library wants it, or undefined for an unknown client id. */
  client(id: string): Promise<AdapterPayload | undefined>;
  /** A grant was revoked (a code or refresh token used twice): the access tokens issued under it must end. */
  grantRevoked(grantId: string): Promise<void>;
}

/** What the library keeps, one small adapter a kind. Codes and refresh tokens rest as digests only. */
export function oidcAdapter(parts: AdapterParts): AdapterFactory {
  return (model) => {
    switch (model) {
      case 'Client':
        return { ...nothing, find: async (id) => parts.client(id) };
      case 'Session':
        return sessionAdapter(parts);
      // Its own opaque access tokens are never given out (Lockstep's are), and interactions are not kept:
      // the sign-in page carries the authorization request itself.
      case 'AccessToken':
        return { ...nothing, revokeByGrantId: async (grantId) => parts.grantRevoked(grantId) };
      case 'Interaction':
        return nothing;
      default:
        return artifactAdapter(parts, model);
    }
  };
}

const nothing: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};

/**
 * The library's session is a view of ours: it exists exactly as long as ours is open, so that everything bound
 * to it (codes, refresh tokens) ends with it. Only which grant each client has is kept beside it.
 */
function sessionAdapter(parts: AdapterParts): Adapter {
  const clients = artifactAdapter(parts, 'Session');
  const find = async (id: string): Promise<AdapterPayload | undefined> => {
    const session = parts.sessions.find(id as SessionId);
    if (session === null) return undefined;
    const kept = await clients.find(id);
    return {
      jti: session.id,
      uid: session.id,
      kind: 'Session',
      accountId: session.principalId,
      loginTs: Math.floor(session.createdAt / 1000),
      iat: Math.floor(session.createdAt / 1000),
      exp: Math.floor(session.expiresAt / 1000),
      amr: [...session.authenticationMethods],
      authorizations: kept?.authorizations ?? {},
    };
  };
  return {
    ...nothing,
    find,
    findByUid: find,
    upsert: async (id, payload, expiresIn) => {
      if (parts.sessions.find(id as SessionId) === null) return;
      await clients.upsert(id, { authorizations: payload.authorizations }, expiresIn);
    },
  };
}

function artifactAdapter(parts: AdapterParts, model: string): Adapter {
  const { db, clock } = parts;
  const row = (id: string) =>
    db.selectFrom('oidc_artifacts').selectAll().where('model', '=', model).where('id', '=', digest(id));
  return {
    ...nothing,
    async upsert(id, payload, expiresIn) {
      const { jti: _, ...kept } = payload;
      const values = {
        payload_json: canonicalJson(JSON.parse(JSON.stringify(kept)) as Json),
        grant_id: payload.grantId ?? null,
        uid: null,
        user_code: null,
        expires_at: expiresIn === undefined ? null : clock.now() + expiresIn * 1000,
      };
      await db
        .insertInto('oidc_artifacts')
        .values({ model, id: digest(id), consumed_at: null, ...values })
        .onConflict((conflict) => conflict.columns(['model', 'id']).doUpdateSet(values))
        .execute();
    },
    async find(id) {
      const found = await row(id).executeTakeFirst();
      if (found === undefined || (found.expires_at !== null && found.expires_at <= clock.now()))
        return undefined;
      const payload = JSON.parse(found.payload_json) as AdapterPayload;
      const consumed = found.consumed_at === null ? {} : { consumed: Math.floor(found.consumed_at / 1000) };
      return { ...payload, jti: id, ...consumed };
    },
    /** Of two at the same instant, one wins; the other is a second use and ends the whole grant. RFC 9700 §4.14.2. */
    async consume(id) {
      const first = await db
        .updateTable('oidc_artifacts')
        .set({ consumed_at: clock.now() })
        .where('model', '=', model)
        .where('id', '=', digest(id))
        .where('consumed_at', 'is', null)
        .returning('grant_id')
        .executeTakeFirst();
      if (first !== undefined) return;
      const grantId = (await row(id).executeTakeFirst())?.grant_id;
      if (grantId !== null && grantId !== undefined) {
        await db
          .deleteFrom('oidc_artifacts')
          .where('id', '=', digest(grantId))
          .where('model', '=', 'Grant')
          .execute();
        await parts.grantRevoked(grantId);
        await db.deleteFrom('oidc_artifacts').where('grant_id', '=', grantId).execute();
      }
      throw new errors.InvalidGrant('already used');
    },
    async destroy(id) {
      await db.deleteFrom('oidc_artifacts').where('model', '=', model).where('id', '=', digest(id)).execute();
    },
    async revokeByGrantId(grantId) {
      await db
        .deleteFrom('oidc_artifacts')
        .where('model', '=', model)
        .where('grant_id', '=', grantId)
        .execute();
    },
  };
}

const authorizationsSchema = z.object({ authorizations: z.record(z.string(), z.unknown()).default({}) });
/** Parameters of one statement are bounded. */
const askedAtOnce = 500;

/** Client ids of the applications that each of these sign-ins has given tokens to. */
export async function clientsOfSessions(
  db: Kysely<Schema>,
  sessions: readonly SessionId[],
): Promise<Map<SessionId, readonly string[]>> {
  const out = new Map<SessionId, readonly string[]>();
  for (let at = 0; at < sessions.length; at += askedAtOnce) {
    const asked = new Map(sessions.slice(at, at + askedAtOnce).map((id) => [digest(id), id]));
    const rows = await db
      .selectFrom('oidc_artifacts')
      .select(['id', 'payload_json'])
      .where('model', '=', 'Session')
      .where('id', 'in', [...asked.keys()])
      .execute();
    for (const row of rows) {
      const session = asked.get(row.id);
      const { authorizations } = authorizationsSchema.parse(JSON.parse(row.payload_json));
      if (session !== undefined) out.set(session, Object.keys(authorizations));
    }
  }
  return out;
}

function digest(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}
