import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

let server: Server;
let admin: Terminal;
let auditor: Terminal;

beforeAll(async () => {
  server = await serve();
  admin = new Terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  auditor = new Terminal({ LOCKSTEP_URL: 'https://127.0.0.1:1' });
  await admin.lockstep('login', '--link', server.signIn);
});
afterAll(async () => {
  await server.stop();
  for (const one of [admin, auditor]) one.dispose();
});

interface Written {
  readonly file: string;
  readonly disclosures: string;
  readonly verifierKey: string;
}

test('values are shown one by one beside their receipt, until the person is deleted and erased', async () => {
  const { id } = (await admin.json('user', 'create', 'ada@lab.example', '--name', 'Ada Byron')) as {
    id: string;
  };
  const newest = ['ledger', 'search', '--action', 'principal.created', '--limit', '1'];
  const created = (await admin.json(...newest)) as { event: { metadata: { uid: string } } };
  const event = created.event.metadata.uid;
  const receipt = (name: string, ...places: string[]) =>
    admin.json('ledger', 'receipt', event, '--out', `${name}.tlog-proof`, '--disclose', ...places);

  const narrow = (await receipt('narrow', 'displayName')) as Written;
  expect(narrow.disclosures).toBe('narrow.disclosures.json');
  const shown = readFileSync(join(admin.directory, narrow.disclosures), 'utf8');
  expect(shown).toContain('Ada Byron');
  expect(shown).not.toContain('ada@lab.example');
  const wide = (await receipt('wide', 'all')) as Written;
  expect(readFileSync(join(admin.directory, wide.disclosures), 'utf8')).toContain('ada@lab.example');
  expect(readFileSync(join(admin.directory, narrow.disclosures), 'utf8')).toBe(shown);
  expect(existsSync(join(admin.directory, `${event}.disclosures.json`))).toBe(false);
  const piped = await admin.lockstep('ledger', 'receipt', event, '--out', '-', '--disclose', 'name');
  expect([piped.code, piped.stdout]).toEqual([2, '']);

  for (const file of [narrow.file, narrow.disclosures])
    cpSync(join(admin.directory, file), join(auditor.directory, file));
  const check = ['--receipt', narrow.file, '--disclosures', narrow.disclosures, '--key', narrow.verifierKey];
  const proven = await auditor.lockstep('ledger', 'verify', ...check);
  expect([proven.code, proven.stdout]).toEqual([0, expect.stringContaining('Ada Byron')]);

  const early = await admin.lockstep('ledger', 'erase', '--person', 'ada@lab.example');
  expect([early.code, early.stderr]).toEqual([0, expect.stringContaining('lockstep user delete')]);
  expect((await admin.lockstep('user', 'delete', 'ada@lab.example')).stdout).toContain(id);
  expect((await admin.lockstep('user', 'delete', 'ada@lab.example')).code).toBe(5);
  const erased = await admin.lockstep('ledger', 'erase', '--person', id);
  expect([erased.code, erased.stderr]).toEqual([0, '']);
  const again = await admin.lockstep('ledger', 'receipt', event, '--disclose', 'displayName');
  expect([again.code, again.stderr]).toEqual([5, expect.stringContaining('displayName')]);
  expect((await auditor.lockstep('ledger', 'verify', ...check)).code).toBe(0);
});
