import type { Config } from '../config/load.ts';
import { ExternalIssuers } from '../identity/federation/external-issuers.ts';
import { UsedAssertions } from '../identity/federation/used-assertions.ts';
import { Leases } from '../identity/leases/leases.ts';
import { Liveness } from '../identity/liveness.ts';
import { CookieKeys } from '../identity/signin/cookie-keys.ts';
import { OneTimeLinks } from '../identity/signin/one-time-links.ts';
import { ConnectionSignIns } from '../identity/signin/connection-sign-ins.ts';
import { Sessions } from '../identity/signin/sessions.ts';
import { SignInThrottle } from '../identity/signin/throttle.ts';
import { TokenIssuer } from '../identity/tokens/issue.ts';
import { assertionKeyKind, type AssertionJwk } from '../identity/tokens/assertion-key-kind.ts';
import { assertionSeconds } from '../identity/tokens/sign-assertion.ts';
import { SigningKeys } from '../identity/tokens/signing-keys.ts';
import { tokenKeyKind, type TokenJwk } from '../identity/tokens/token-key-kind.ts';
import { TokenVerifier } from '../identity/tokens/verify.ts';
import type { LeaseRecord } from '../store/changes.ts';
import type { Foundation } from './foundation.ts';

const daySeconds = 86_400;

export interface IdentityParts {
  readonly issuer: string;
  readonly liveness: Liveness;
  readonly signingKeys: SigningKeys<TokenJwk>;
  /** Of the statements of identity to upstreams. */
  readonly assertionKeys: SigningKeys<AssertionJwk>;
  readonly tokenIssuer: TokenIssuer;
  readonly tokenVerifier: TokenVerifier;
  readonly leases: Leases;
  readonly sessions: Sessions;
  readonly connectionSignIns: ConnectionSignIns;
  readonly cookieKeys: CookieKeys;
  readonly oneTimeLinks: OneTimeLinks;
  readonly throttle: SignInThrottle;
  readonly externalIssuers: ExternalIssuers;
  readonly usedAssertions: UsedAssertions;
}

export interface IdentityNeeds {
  readonly publicUrl: string;
  knowsResource(resource: string): boolean;
  /** Whether the right on which a job runs still stands. */
  stillAllowed(lease: LeaseRecord): boolean;
}

/** Who is who, and for how long. Its followers are subscribed here, before anything else is committed. */
export async function composeIdentity(
  config: Config,
  foundation: Foundation,
  needs: IdentityNeeds,
): Promise<IdentityParts> {
  const { store, ledger, clock, sealer, tenantId } = foundation;
  const { commit } = ledger;
  const liveness = await Liveness.load(store, clock);
  ledger.follow(liveness.follower);

  const longestTokenSeconds = Math.max(
    config.tokens.userSeconds,
    config.tokens.applicationSeconds,
    config.tokens.jobSeconds,
    daySeconds,
  );
  const signSeconds = config.tokens.signingKeyDays * daySeconds;
  const publishAheadSeconds = Math.min(daySeconds, signSeconds / 2);
  const signing = { store, commit, clock, sealer, tenantId };
  const signingKeys = await SigningKeys.open({
    ...signing,
    kind: tokenKeyKind,
    rotation: { signSeconds, publishAheadSeconds, longestTokenSeconds },
  });
  const assertionKeys = await SigningKeys.open({
    ...signing,
    kind: assertionKeyKind,
    rotation: { signSeconds, publishAheadSeconds, longestTokenSeconds: assertionSeconds },
  });
  const issuer = `${needs.publicUrl}/${tenantId}/v2.0`;
  const tokenIssuer = new TokenIssuer({ keys: signingKeys, issuer, tenantId, clock });
  const absoluteMilliseconds = config.sessions.absoluteHours * 3_600_000;
  const cookieKeys = await CookieKeys.open({
    store,
    commit,
    clock,
    sealer,
    tenantId,
    rotationMilliseconds: config.tokens.signingKeyDays * daySeconds * 1000,
    overlapMilliseconds: absoluteMilliseconds,
  });
  const sessions = await Sessions.load({
    store,
    commit,
    clock,
    keys: cookieKeys,
    tenantId,
    absoluteMilliseconds,
    idleMilliseconds: config.sessions.idleMinutes * 60_000,
  });
  ledger.follow(sessions.follower);

  return {
    issuer,
    liveness,
    signingKeys,
    assertionKeys,
    tokenIssuer,
    tokenVerifier: new TokenVerifier({ keys: signingKeys, issuer, tenantId, clock }),
    leases: new Leases({
      store,
      commit,
      clock,
      tenantId,
      liveness,
      issuer: tokenIssuer,
      tokenSeconds: config.tokens.jobSeconds,
      knowsResource: (resource) => needs.knowsResource(resource),
      stillAllowed: (lease) => needs.stillAllowed(lease),
    }),
    sessions,
    connectionSignIns: new ConnectionSignIns({ keys: cookieKeys, sessions, clock }),
    cookieKeys,
    oneTimeLinks: new OneTimeLinks({ db: store.db, commit, clock }),
    throttle: new SignInThrottle({ db: store.db, clock }),
    externalIssuers: new ExternalIssuers({ clock }),
    usedAssertions: new UsedAssertions({ commit, clock }),
  };
}
