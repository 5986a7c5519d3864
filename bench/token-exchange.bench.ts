// Exchanges a second at the token service, in process through the surface, against what the signatures alone cost.
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { SignJWT } from 'jose';
import {
  exchangeOf,
  headOf,
  startTokenService,
  type TokenService,
} from '../src/api/entra/testing/token-room.ts';
import { makeCertificate } from '../src/identity/testing/certificates.ts';
import { by, tenantId } from '../src/identity/testing/identity-room.ts';
import { TokenVerifier } from '../src/identity/tokens/verify.ts';
import type { BenchRow } from './row.ts';

/** Blocks of each work, after two to warm up. */
const rounds = 21;
const callsPerBlock = 40;
const scope = 'https://management.azure.com/.default';
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** `perSecond` is the median block; the percentiles are over all single calls, in milliseconds. */
interface Measured {
  readonly perSecond: number;
  readonly spread: string;
  readonly p50: number;
  readonly p99: number;
}

export async function run(): Promise<BenchRow[]> {
  const service = await startTokenService({ time: 'real' });
  try {
    return await measureAll(service);
  } finally {
    await service.close();
  }
}

async function measureAll(service: TokenService): Promise<BenchRow[]> {
  const { directory } = service.room;
  const certificate = makeCertificate({ now: Date.now() });
  await directory.addCertificate(by, service.application.id, certificate.certificatePem);
  const { secret } = await directory.addSecret(by, service.application.id, {});
  const federated = (name: string, assertionUse: 'once' | 'reusable', audience: string) =>
    directory.addFederatedCredential(by, service.application.id, {
      name,
      issuer: service.ci.issuer,
      audience,
      match: { kind: 'claims', claims: { repository_id: '424242', environment: 'training' } },
      assertionUse,
    });
  await federated('reusable', 'reusable', 'reusable');
  await federated('once', 'once', 'once');
  const assertion = await new SignJWT({ jti: 'bench' })
    .setProtectedHeader({ alg: 'RS256', 'x5t#S256': certificate.thumbprintSha256 })
    .setIssuer(service.application.clientId)
    .setSubject(service.application.clientId)
    .setAudience(`${service.publicUrl}/${tenantId}/oauth2/v2.0/token`)
    .setExpirationTime('20m')
    .sign(certificate.privateKey);
  const outside = await service.ci.token({ aud: 'reusable' });
  const fresh = await Promise.all(
    Array.from({ length: (rounds + 2) * callsPerBlock }, () => service.ci.token({ aud: 'once' })),
  );
  const asserting = (client_assertion: string) => ({
    client_assertion,
    client_assertion_type: assertionType,
  });

  const measured = await measure(callsPerBlock, {
    floor: signatureFloor(),
    certificate: exchange(service, () => asserting(assertion)),
    secret: exchange(service, () => ({ client_secret: secret })),
    reusable: exchange(service, () => asserting(outside)),
    once: exchange(service, () => asserting(fresh.pop() ?? '')),
  });
  const { floor } = measured;
  return [
    against('token exchange, certificate', measured.certificate, floor),
    against('token exchange, client secret', measured.secret, floor),
    against('token exchange, federated, reusable', measured.reusable, floor),
    against('token exchange, federated, once (with its row)', measured.once, floor),
    ...latency('certificate', measured.certificate, floor),
    ...latency('federated, once', measured.once, floor),
    ...(await verification(service)),
  ];
}

/** The least that an exchange of an assertion can cost: one signature verified and one made. */
function signatureFloor(): () => Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const payload = Buffer.alloc(1200, 'x');
  const signature = sign('sha256', payload, privateKey);
  return async () => {
    if (!verify('sha256', payload, publicKey, signature)) throw new Error('the signature does not fit');
    sign('sha256', payload, privateKey);
  };
}

function exchange(service: TokenService, credential: () => Record<string, string>): () => Promise<void> {
  const path = `/${tenantId}/oauth2/v2.0/token`;
  const common = { grant_type: 'client_credentials', client_id: service.application.clientId, scope };
  return async () => {
    const head = headOf({ method: 'POST', path, headers: {}, remoteAddress: '127.0.0.1' });
    const form = Buffer.from(new URLSearchParams({ ...common, ...credential() }).toString());
    const reply = await service.surface.describe(head)?.serve(exchangeOf(head, form));
    if (reply?.status !== 200) throw new Error(`the exchange failed with ${reply?.status}`);
  };
}

async function verification(service: TokenService): Promise<BenchRow[]> {
  const { room, sponsor } = service;
  const audiences = ['https://management.azure.com'];
  const { token } = await room.tokens.issue({
    subject: sponsor,
    audience: audiences[0] ?? '',
    lifetimeSeconds: 3600,
    chain: [{ kind: 'user', id: sponsor.id, name: 'Ada' }],
    authorities: [sponsor.id],
    clientId: 'bench',
    idType: 'user',
  });
  const issuer = `${service.publicUrl}/${tenantId}/v2.0`;
  const options = { keys: room.keys, issuer, tenantId, clock: room.clock };
  const forgetful = new TokenVerifier({ ...options, remembered: 0 });
  const warm = new TokenVerifier(options);
  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')));
  const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
  const { publicKey } = room.keys.current();
  const { floor, cold, cached } = await measure(2000, {
    floor: async () => {
      if (!verify('sha256', signed, publicKey, signature)) throw new Error('the signature does not fit');
    },
    cold: async () => void (await forgetful.verify(token, audiences)),
    cached: async () => {
      const caller = await warm.verify(token, audiences);
      if (room.liveness.check(caller) !== null) throw new Error('the caller is alive');
    },
  });
  const peer = 'one RS256 verify with node:crypto';
  return [
    { ...row('token verification, first time', cold), ...ratioTo(floor, peer, cold) },
    { ...row('token verification, remembered, with liveness', cached), ...ratioTo(floor, peer, cached) },
  ];
}

/**
 * Runs the works in turn, a short block of calls each, many times over: what else the machine does meets them alike.
 * The rate is that of the median block.
 */
async function measure<Name extends string>(
  calls: number,
  works: Readonly<Record<Name, () => Promise<void>>>,
): Promise<Record<Name, Measured>> {
  const names = Object.keys(works) as Name[];
  const rates = new Map<Name, number[]>(names.map((name) => [name, []]));
  const single = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = -2; round < rounds; round++) {
    for (const name of names) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) {
        const before = performance.now();
        await works[name]();
        if (round >= 0) single.get(name)?.push(performance.now() - before);
      }
      if (round >= 0) rates.get(name)?.push((calls / (performance.now() - start)) * 1000);
    }
  }
  const measured = (name: Name): Measured => {
    const [perBlock, perCall] = [rates, single].map((of) => (of.get(name) ?? []).sort((x, y) => x - y));
    const at = (values: readonly number[] = [], part: number) =>
      values[Math.floor(values.length * part)] ?? 0;
    return {
      perSecond: at(perBlock, 0.5),
      spread: `${Math.round(at(perBlock, 0))}–${Math.round(perBlock?.at(-1) ?? 0)}`,
      p50: at(perCall, 0.5),
      p99: at(perCall, 0.99),
    };
  };
  return Object.fromEntries(names.map((name) => [name, measured(name)])) as Record<Name, Measured>;
}

const floorName = 'one RS256 verify + one RS256 sign with node:crypto';

function row(name: string, { perSecond, spread }: Measured) {
  return { name, value: perSecond, unit: '1/s', spread };
}

function against(name: string, measured: Measured, floor: Measured): BenchRow {
  return { ...row(name, measured), ...ratioTo(floor, floorName, measured) };
}

function ratioTo(floor: Measured, peer: string, { perSecond }: Measured) {
  return { peer, peerValue: floor.perSecond, ratio: perSecond / floor.perSecond, target: null, met: null };
}

function latency(name: string, measured: Measured, floor: Measured): BenchRow[] {
  const of = (percentile: 'p50' | 'p99'): BenchRow => ({
    name: `token exchange, ${name}, ${percentile}`,
    value: measured[percentile],
    unit: 'ms',
    peer: floorName,
    peerValue: floor[percentile],
    ratio: floor[percentile] / measured[percentile],
    target: null,
    met: null,
  });
  return [of('p50'), of('p99')];
}
