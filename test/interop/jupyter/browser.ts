import { personBrowser } from '../person-browser.ts';
import type { Expect } from './known.ts';
import type { Laboratory } from './laboratory.ts';
import { execute } from './page.ts';

/** JupyterLab in a real browser, on a host of its own: one sign-in, then pages, files and kernels as the person. */
export async function inBrowser(lab: Laboratory, expectThat: Expect): Promise<void> {
  const listener = { port: lab.port, ca: lab.ca, host: 'page.localhost' };
  const address = `https://page.localhost:${lab.port}/lab`;
  const alice = await personBrowser(listener, { name: 'alice@lab.example', password: lab.password });
  const bob = await personBrowser(listener, { name: 'bob@lab.example', password: lab.password });
  try {
    await alice.open(address);
    await alice.page.getByRole('tab', { name: 'Launcher' }).waitFor();
    const shown = await alice.page.locator('body').innerText();
    expectThat(
      'JupyterLab opens in a browser after one sign-in',
      shown.includes('Python 3'),
      shown.slice(0, 400),
    );
    const me = await alice.page.evaluate(async () => (await fetch('/api/me')).text());
    expectThat('and knows the person', me.includes(`"username": "${lab.alice.id}"`), me);
    const { said } = await alice.page.evaluate(execute, { base: '', id: null, code: '6 * 7' });
    expectThat('a kernel computes for its page, over a WebSocket', said === '42', said);
    expectThat('nothing that the page asked for was refused', alice.troubles.length === 0, alice.troubles);
    const cookies = (await alice.page.context().cookies(address)).map(({ name }) => name);
    expectThat('there is one cookie, of Lockstep', cookies.join() === '__Host-lockstep-session', cookies);
    await bob.open(address);
    const refused = await bob.page.locator('body').innerText();
    expectThat(
      'Bob, who may not, reads why',
      /do not have access to this/.test(refused),
      refused.slice(0, 400),
    );
  } finally {
    await alice.close();
    await bob.close();
  }
}
