import { personBrowser } from '../person-browser.ts';
import type { Expect } from './known.ts';
import type { Laboratory } from './laboratory.ts';

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
    const said = await alice.page.evaluate(execute, [new URL(address).host, '6 * 7'] as const);
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

/** Runs in the page: starts a kernel and asks it for a value, as Jupyter's messaging protocol 5.3 has it. */
async function execute([host, code]: readonly [string, string]): Promise<string> {
  const started = await fetch('/api/kernels', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'python3' }),
  });
  const { id } = (await started.json()) as { id: string };
  const socket = new WebSocket(`wss://${host}/api/kernels/${id}/channels`);
  return new Promise((resolve) => {
    setTimeout(() => resolve('no answer within 60 s'), 60_000);
    socket.addEventListener('close', ({ code: closed, reason }) => resolve(`closed ${closed} ${reason}`));
    socket.addEventListener('open', () => {
      const header = {
        msg_id: crypto.randomUUID(),
        msg_type: 'execute_request',
        session: crypto.randomUUID(),
        username: '',
        version: '5.3',
        date: new Date().toISOString(),
      };
      const content = { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false };
      socket.send(
        JSON.stringify({ channel: 'shell', header, parent_header: {}, metadata: {}, content, buffers: [] }),
      );
    });
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as {
        msg_type?: string;
        content?: { data?: Record<string, string> };
      };
      if (message.msg_type === 'execute_result') resolve(message.content?.data?.['text/plain'] ?? 'nothing');
    });
  });
}
