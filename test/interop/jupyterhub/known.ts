import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jupyterHubSurface } from '../../../src/gateway/adapters/jupyterhub/surface.ts';
import { proxyOptions } from '../../../src/gateway/testing/proxy-options.ts';
import { newGuid } from '../../../src/lib/ids.ts';
import { headOf, type Expect } from '../jupyter/known.ts';

const run = promisify(execFile);

/** Routes of the hub that are nobody's, and why. */
const denied: Readonly<Record<string, RegExp>> = {
  'tokens outlive what Lockstep decides': /^\w+ \/hub\/(?:token|api\/users\/{id}\/tokens(?:\/{id})?)$/,
  'servers ask Lockstep who is there, not the hub': /^\w+ \/hub\/api\/(?:oauth2\/\w+|authorizations\/.+)$/,
  'Lockstep signs people in': /^POST \/hub\/login$/,
  'Lockstep says who they are': /^GET \/hub\/api\/user$/,
  'a named server gives paths another meaning':
    /^\w+ \/hub\/(?:spawn(?:-pending)?\/{id}\/{id}|api\/users\/{id}\/servers\/.+)$/,
  'Lockstep says who may use whose server':
    /^\w+ \/hub\/(?:accept-share|api\/(?:shares|share-codes|(?:users|groups)\/{id}\/shared)(?:\/.+)?)$/,
  'Lockstep knows people and groups':
    /^(?:\w+ \/hub\/api\/groups(?:\/{id}(?:\/users|\/properties)?)?|(?:GET|POST) \/hub\/api\/users|(?:POST|PATCH|DELETE) \/hub\/api\/users\/{id}|POST \/hub\/api\/users\/{id}\/admin-access)$/,
  'administration is not behind a connection':
    /^\w+ \/hub\/(?:admin|metrics|health|api\/(?:metrics|health|info|proxy|shutdown|services(?:\/{id})?))$/,
  'servers say it by themselves': /^POST \/hub\/api\/users\/{id}\/activity$/,
  'nobody reads them': /^POST \/hub\/security\/csp-report$/,
  'what does not run is only looked at': /^(?:POST|PATCH|DELETE) \/hub\/user\/{id}\/lab$/,
  'no such method': /^(?:GET|PUT|PATCH) \/hub\/api\/users\/{id}\/server$/,
};

/** What this version of the hub can be asked is what the adapter knows, or what is nobody's. */
export async function knownAtHub(venv: string, expectThat: Expect): Promise<void> {
  const surface = jupyterHubSurface(
    { name: 'hub', upstream: 'http://127.0.0.1:1', scope: '/hub' },
    proxyOptions,
  );
  try {
    const { stdout } = await run(join(venv, 'bin', 'python'), [join(import.meta.dirname, 'routes.py')]);
    const routes = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as [string, string]);
    const id = newGuid();
    const isDescribed = ([method, path]: [string, string]) =>
      surface.describe(headOf(method, path.replaceAll('{id}', id), 'hub.localhost')) !== null;
    const reasons = Object.entries(denied);
    const why = ([method, path]: [string, string]) =>
      reasons.filter(([, pattern]) => pattern.test(`${method} ${path}`)).map(([reason]) => reason);
    const surprises = routes.filter((route) => (isDescribed(route) ? 0 : 1) !== why(route).length);
    expectThat(
      `each of the hub’s ${routes.length} routes is described, or nobody’s for one reason`,
      routes.length > 80 && surprises.length === 0,
      surprises.map((route) => [...route, ...why(route)]),
    );
    const idle = reasons.filter(([reason]) => !routes.some((route) => why(route).includes(reason)));
    expectThat('and no reason is given for what it does not have', idle.length === 0, idle);
  } finally {
    await surface.close();
  }
}
