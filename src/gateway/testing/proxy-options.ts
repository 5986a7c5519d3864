import { createHash } from 'node:crypto';
import { SignJWT, type CryptoKey } from 'jose';
import { assertionType } from '../../identity/tokens/sign-assertion.ts';
import { systemClock } from '../../lib/clock.ts';
import type { MlflowOptions } from '../adapters/mlflow/surface.ts';
import type { ProxyOptions } from '../adapters/web/proxied.ts';

/** Of connections whose identity assertions nobody checks. */
export const proxyOptions: MlflowOptions = {
  hosts: { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' },
  issuer: 'https://localhost/t/v2.0',
  clock: systemClock,
  sign: () => Promise.resolve('assertion'),
  derivedKeys: (purpose) => [createHash('sha256').update(purpose).digest()],
};

/** As the product signs identity assertions, with a key of the test's own. */
export function signedWith(key: CryptoKey): ProxyOptions['sign'] {
  return (claims) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', typ: assertionType }).sign(key);
}
