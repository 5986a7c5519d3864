import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CredentialsFile, type Account } from './credentials.ts';

const account: Account = {
  kind: 'person',
  clientId: 'c',
  issuer: 'https://i',
  principal: { id: 'p', name: 'ada' },
  refreshToken: 'r0',
  proofFile: null,
  caFile: null,
  tokens: {},
};

function fresh(): CredentialsFile {
  return new CredentialsFile(join(mkdtempSync(join(tmpdir(), 'lockstep-cli-')), 'config'));
}

function put(file: CredentialsFile, refreshToken: string) {
  return file.change((present) =>
    Promise.resolve({
      next: { ...present, current: 'https://a', servers: { 'https://a': { ...account, refreshToken } } },
      result: present.servers['https://a']?.refreshToken ?? null,
    }),
  );
}

test('is readable by its owner alone, in a directory of the owner alone', async () => {
  const file = fresh();
  await put(file, 'r1');
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
  expect(statSync(join(file.path, '..')).mode & 0o777).toBe(0o700);
  expect((await file.read()).servers['https://a']?.refreshToken).toBe('r1');
});

test('a file that others can read is refused, not used', async () => {
  const file = fresh();
  await put(file, 'r1');
  chmodSync(file.path, 0o640);
  await expect(file.read()).rejects.toThrow(/can be read by others \(mode 640\)/);
  await expect(put(file, 'r2')).rejects.toThrow(/can be read by others/);
});

test('a damaged file is said to be so and is not overwritten', async () => {
  const file = fresh();
  await put(file, 'r1');
  writeFileSync(file.path, '{"version": 2}', { mode: 0o600 });
  await expect(put(file, 'r2')).rejects.toThrow(/is damaged/);
  expect(readFileSync(file.path, 'utf8')).toBe('{"version": 2}');
});

test('of many changes at once each sees the one before: a refresh token is spent once', async () => {
  const file = fresh();
  const seen = await Promise.all(Array.from({ length: 12 }, (_, i) => put(file, `r${i}`)));
  expect(new Set(seen).size).toBe(12);
});

test('a change that fails changes nothing and lets the next one in', async () => {
  const file = fresh();
  await put(file, 'r1');
  await expect(file.change(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await put(file, 'r2')).toBe('r1');
});
