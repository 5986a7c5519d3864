import { afterEach, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway } from './testing/gateway.ts';
import { route, thingsSurface } from './testing/things-surface.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});

async function ask(
  demanded: string | null,
): Promise<{ status: number; revision: string | null; served: number }> {
  let served = 0;
  const serve = () => {
    served++;
    return Promise.resolve({ status: 200, body: 'served' });
  };
  // The test's policy is at revision 7.
  const gateway = await TestGateway.start({
    surfaces: [thingsSurface([route({ method: 'GET', path: '/things', serve })])],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
  open.push(gateway);
  const response = await gateway.fetch('/things', {
    headers: {
      authorization: 'Bearer good',
      ...(demanded === null ? {} : { 'lockstep-minimum-policy-revision': demanded }),
    },
  });
  await response.text();
  return { status: response.status, revision: response.headers.get('lockstep-policy-revision'), served };
}

it.each([null, '0', '7'])('answers, with its revision, whoever demands %s', async (demanded) => {
  expect(await ask(demanded)).toEqual({ status: 200, revision: '7', served: 1 });
});

it.each([
  ['8', 503],
  ['900719925474099', 503],
  ['-1', 400],
  ['seven', 400],
  ['7, 8', 400],
])('refuses rather than answers by an older policy than %s', async (demanded, status) => {
  expect(await ask(demanded)).toMatchObject({ status, served: 0 });
});
