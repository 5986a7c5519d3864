import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/{e2e,security,conformance,mutation}/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    // How much longer than usual properties are searched, e.g. LOCKSTEP_TEST_THOROUGHNESS=20 for a night.
    provide: { thoroughness: Number(process.env['LOCKSTEP_TEST_THOROUGHNESS'] ?? 1) },
  },
});
