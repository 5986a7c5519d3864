import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Change, Tx } from '../../store/changes.ts';

const model = 'IssuedToken';
const noted = z.strictObject({ principalId: z.string(), expiresAt: z.number() });

/** An access token that an application got for a person who signed in to it. */
export interface IssuedToken {
  readonly grantId: string;
  /** The application's client id. */
  readonly clientId: string;
  readonly tokenId: string;
  readonly principalId: PrincipalId;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** When the sign-in ends at the latest, and with it what the token has begun; in milliseconds. */
  readonly signInEndsAt: number;
}

/** A row of `oidc_artifacts` by which the token is found again, by its grant or its client. */
export function issuedTokenRow({ expiresAt, signInEndsAt, ...token }: IssuedToken) {
  const { grantId, clientId, tokenId, principalId } = token;
  return {
    model,
    id: tokenId,
    payload_json: canonicalJson({ principalId, expiresAt }),
    grant_id: grantId,
    user_code: null,
    uid: clientId,
    consumed_at: null,
    expires_at: signInEndsAt,
  };
}

/**
 * Revokes the access tokens of a grant, or all that a client got for people: an application that is shut out does not act
 * for them any more. Those that have lapsed too, for what they have begun goes on as long as the sign-in. Within the
 * caller's transaction.
 */
export async function revokeIssued(
  tx: Tx,
  record: (change: Change) => void,
  whose: { readonly grantId: string } | { readonly clientId: string },
  now: number,
): Promise<void> {
  const rows = await tx
    .deleteFrom('oidc_artifacts')
    .where('model', '=', model)
    .where((eb) => ('grantId' in whose ? eb('grant_id', '=', whose.grantId) : eb('uid', '=', whose.clientId)))
    .where('expires_at', '>', now)
    .returning(['id', 'payload_json'])
    .execute();
  for (const row of rows) {
    const { principalId, expiresAt } = noted.parse(JSON.parse(row.payload_json));
    const principal = principalId as PrincipalId;
    if (expiresAt * 1000 > now) {
      await tx
        .insertInto('revoked_tokens')
        .values({ token_id: row.id, principal_id: principal, expires_at: expiresAt * 1000 })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    record({ kind: 'token.revoked', tokenId: row.id, principal, expiresAt: expiresAt * 1000 });
  }
}
