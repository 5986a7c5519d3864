import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { personBrowser, type PersonBrowser } from '../person-browser.ts';
import type { Expect } from './known.ts';
import type { Laboratory } from './laboratory.ts';
import { execute } from './page.ts';

/** JupyterLab in a real browser, on a host of its own: one sign-in, then pages, files and kernels as the person. */
export async function inBrowser(lab: Laboratory, expectThat: Expect): Promise<void> {
  const listener = { port: lab.port, ca: lab.ca, host: 'page.localhost' };
  const address = `https://page.localhost:${lab.port}/lab`;
  const alice = await personBrowser(listener, { name: 'alice@lab.example', password: lab.password });
  const bob = await personBrowser(listener, { name: 'bob@lab.example', password: lab.password });
  const dora = await personBrowser(listener, { name: 'dora@lab.example', password: lab.password });
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
    await together(lab, { writer: alice, reader: dora }, expectThat);
  } finally {
    await alice.close();
    await bob.close();
    await dora.close();
  }
}

/** Two people have one notebook open, with jupyter-collaboration: one of them may write it, the other may read it. */
async function together(
  lab: Laboratory,
  { writer, reader }: Readonly<Record<'writer' | 'reader', PersonBrowser>>,
  expectThat: Expect,
): Promise<void> {
  const address = `https://page.localhost:${lab.port}/lab/tree/team-a/notes.ipynb`;
  await reader.open(address);
  const readers = reader.page.locator('.jp-Notebook');
  await readers.getByText('as it was').waitFor();
  await withoutKernel(reader);
  await reader.page.getByText('notebook is read-only').waitFor();
  expectThat('a reader’s page shows the notebook, and that it is for reading', true);
  await writer.page.goto(address);
  const cell = writer.page.locator('.jp-Notebook .cm-content').first();
  await cell.getByText('as it was').waitFor();
  await withoutKernel(writer);
  await cell.click();
  await writer.page.keyboard.press('Control+End');
  await writer.page.keyboard.type(', and more');
  await readers.getByText('as it was, and more').waitFor();
  expectThat('what a writer types appears there', true);
  await reader.page.locator('.jp-Notebook .cm-content').first().click();
  await reader.page.keyboard.type('by a reader');
  await writer.page.keyboard.press('Control+s');
  const file = join(lab.page.work, 'team-a', 'notes.ipynb');
  await until(() => readFileSync(file, 'utf8').includes('as it was, and more'));
  const [saved, seen] = [readFileSync(file, 'utf8'), await cell.innerText()];
  expectThat(
    'what a reader types is neither in the file nor on the writer’s page',
    !saved.includes('by a reader') && !seen.includes('by a reader'),
    { saved, seen },
  );
}

/** Answers what JupyterLab asks of a notebook that names no kernel. */
async function withoutKernel({ page }: PersonBrowser): Promise<void> {
  await page.getByRole('dialog').getByRole('button', { name: 'No Kernel' }).click();
}

async function until(holds: () => boolean, milliseconds = 15_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!holds() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
}
