import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

const terminals: Terminal[] = [];
let server: Server | null = null;

function terminal(environment: Readonly<Record<string, string>> = {}): Terminal {
  const one = new Terminal(environment);
  terminals.push(one);
  return one;
}

afterAll(async () => {
  await server?.stop();
  for (const one of terminals) one.dispose();
});

interface Keys {
  readonly keys: readonly { readonly verifierKey: string; readonly state: string }[];
}

test('the key of the log is exchanged; who kept the old one walks to the new one offline, except from a stolen one', async () => {
  server = await serve();
  const { home } = server;
  const admin = terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  await admin.lockstep('login', '--link', server.signIn);
  const stranger = terminal({ LOCKSTEP_URL: 'https://127.0.0.1:1' });
  const keysNow = async () => ((await admin.json('ledger', 'keys')) as Keys).keys;
  const copied = async (name: string, verifierKey: string) => {
    const copy = join(stranger.directory, name);
    await stranger.json('ledger', 'copy', copy, join(home, 'ledger'), '--key', verifierKey);
    return copy;
  };
  const receipt = async (name: string) => {
    const tail = await admin.lockstep('ledger', 'tail', '--lines', '1', '--json');
    const { event } = JSON.parse(tail.stdout.split('\n')[0] ?? '') as {
      event: { metadata: { uid: string } };
    };
    const file = join(stranger.directory, name);
    await admin.json('ledger', 'receipt', event.metadata.uid, '--out', file);
    return file;
  };

  const [{ verifierKey: first } = { verifierKey: '' }] = await keysNow();
  const early = await receipt('early.tlog-proof');
  const key = stranger.file('log.key', `${first}\n`);

  // Without an overlap, so that the old one is gone at once.
  const planned = (await admin.json('ledger', 'rotate-key', '--overlap-days', '0')) as Keys;
  expect(planned.keys.map(({ state }) => state)).toEqual(['signing', 'retired']);
  const second = planned.keys[0]?.verifierKey ?? '';
  const copy = await copied('second', second);
  const refused = await stranger.lockstep('ledger', 'verify', copy, '--key', key);
  expect([refused.code, refused.stderr]).toEqual([7, expect.stringContaining('lockstep ledger keys')]);
  const walked = await stranger.json('ledger', 'keys', copy, '--key', key, '--out', key);
  expect(walked).toMatchObject({ current: second, signing: [second], keys: [first, second] });
  expect(readFileSync(key, 'utf8')).toBe(`${second}\n`);
  expect((await stranger.lockstep('ledger', 'verify', copy, '--key', key)).code).toBe(0);
  const proof = ['ledger', 'verify', '--receipt', early];
  expect((await stranger.lockstep(...proof, '--key', first)).code).toBe(0);
  expect((await stranger.lockstep(...proof, '--key', second)).code).toBe(7);

  // With an overlap: either key is enough, and there is one exchange at a time.
  const both = (await admin.json('ledger', 'rotate-key')) as Keys;
  expect(both.keys.map(({ state }) => state)).toEqual(['signing', 'signing', 'retired']);
  const third = both.keys[0]?.verifierKey ?? '';
  const during = await copied('both', third);
  for (const one of [second, third]) {
    expect((await stranger.lockstep('ledger', 'verify', during, '--key', one)).code).toBe(0);
  }
  expect(readFileSync(join(home, 'ledger', 'key'), 'utf8')).toBe(`${third}\n${second}\n`);
  const again = await admin.lockstep('ledger', 'rotate-key');
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('under way')]);
  expect((await admin.lockstep('ledger', 'rotate-key', '--now', '--overlap-days', '3')).code).toBe(2);

  // In other hands: at once, and no history leads from the old keys to the new one.
  const replaced = (await admin.json('ledger', 'rotate-key', '--now')) as Keys;
  expect(replaced.keys.map(({ state }) => state)).toEqual(['signing', 'retired', 'retired', 'retired']);
  const last = replaced.keys[0]?.verifierKey ?? '';
  const after = await copied('after', last);
  for (const one of [first, second, third]) {
    const lost = await stranger.lockstep('ledger', 'keys', after, '--key', one);
    expect([lost.code, lost.stderr]).toEqual([7, expect.stringContaining('compromised')]);
  }
  expect((await stranger.lockstep('ledger', 'verify', after, '--key', last)).code).toBe(0);

  // What the server says goes with it, also after a restart; a policy of before is still its own.
  await server.stop({ keepHome: true });
  const policy = stranger.file('log.policy', `log ${first}\nquorum none\n`);
  server = await serve({ home, ledger: { witnessPolicy: policy } });
  const back = terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  await back.lockstep('login', '--link', server.signIn);
  expect(await back.json('ledger', 'verify')).toMatchObject({ verified: true, verifierKey: last });
  const found = await back.lockstep('ledger', 'search', '--action', 'ledger-key.*', '--json');
  const kinds = found.stdout
    .trim()
    .split('\n')
    .map(
      (line) =>
        (JSON.parse(line) as { event: { metadata: { event_code: string } } }).event.metadata.event_code,
    );
  expect(kinds.filter((kind) => kind === 'ledger-key.announced')).toHaveLength(3);
  expect(kinds.filter((kind) => kind === 'ledger-key.ended')).toHaveLength(3);
});
