import { expect, test } from 'vitest';
import { hashPassword, isOutdated, verifyNoPassword, verifyPassword } from './passwords.ts';

test('accepts the password that was hashed and no other', async () => {
  const stored = await hashPassword('correct horse battery staple');
  expect(await verifyPassword('correct horse battery staple', stored)).toBe(true);
  expect(await verifyPassword('correct horse battery stapl', stored)).toBe(false);
  expect(await verifyPassword('', stored)).toBe(false);
});

test('salts: the same password never gives the same verifier', async () => {
  expect(await hashPassword('same')).not.toBe(await hashPassword('same'));
});

test('carries its cost in the string, so that the cost can rise without locking anyone out', async () => {
  const stored = await hashPassword('x');
  expect(stored).toMatch(/^scrypt\$16384\$8\$5\$/);
  expect(isOutdated(stored)).toBe(false);
  const older = 'scrypt$1024$8$1$AAAAAAAAAAAAAAAAAAAAAA$' + (await scryptOf('x', Buffer.alloc(16), 1024));
  expect(await verifyPassword('x', older)).toBe(true);
  expect(isOutdated(older)).toBe(true);
});

test('accepts the same characters composed and decomposed', async () => {
  expect(await verifyPassword('caf\u0065\u0301', await hashPassword('caf\u00e9'))).toBe(true);
});

test.each([
  ['empty', ''],
  ['clear text', 'hunter2'],
  ['another scheme', '$2b$12$abcdefghijklmnopqrstuv'],
  ['an empty hash', 'scrypt$16384$8$5$AAAAAAAAAAAAAAAAAAAAAA$'],
  ['a truncated hash', 'scrypt$16384$8$5$AAAAAAAAAAAAAAAAAAAAAA$AAAA'],
  ['a cost that would stall the process', `scrypt$16777216$8$1$${'A'.repeat(22)}$${'A'.repeat(43)}`],
])('never accepts against a stored value that is %s', async (_what, stored) => {
  await expect(verifyPassword('', stored)).rejects.toThrow(/scrypt form|[Mm]emory|[Ii]nvalid scrypt/);
});

test('an unknown account costs the same computation and is refused', async () => {
  const stored = await hashPassword('x');
  /** Of the whole process: hashes are computed on threads of their own. */
  const computed = async (work: () => Promise<unknown>) => {
    const rounds: number[] = [];
    for (let i = 0; i < 5; i++) {
      const before = process.cpuUsage();
      await work();
      rounds.push(process.cpuUsage(before).user);
    }
    return Math.min(...rounds);
  };
  const known = await computed(async () => verifyPassword('y', stored));
  const unknown = await computed(async () => verifyNoPassword('y'));
  expect(await verifyNoPassword('x')).toBe(false);
  expect(unknown / known).toBeGreaterThan(0.5);
  expect(unknown / known).toBeLessThan(2);
});

async function scryptOf(secret: string, salt: Buffer, N: number): Promise<string> {
  const { scryptSync } = await import('node:crypto');
  return scryptSync(secret, salt, 32, { N, r: 8, p: 1 }).toString('base64url');
}
