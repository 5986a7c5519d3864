import { expect, test } from 'vitest';
import { serve } from './testing/terminal.ts';

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
  '%s drains the server, which then has ended well',
  async (signal) => {
    const server = await serve();
    expect(await server.stop({ signal })).toBe(0);
  },
  60_000,
);
