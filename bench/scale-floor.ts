// What gateway-scale.bench.ts holds an idle WebSocket against: a TLS connection that Node.js keeps and nobody does anything with.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { ensureLocalAuthority } from '../src/gateway/certificates/local-authority.ts';
import type { ProductWord } from './scale-product.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-floor-'));
const { key, cert } = await ensureLocalAuthority(home, []);
rmSync(home, { recursive: true });
const server = createServer({ key, cert }, (socket) => {
  socket.on('error', () => undefined).resume();
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  process.send?.({ port: address !== null && typeof address === 'object' ? address.port : 0 });
});
process.on('message', () => {
  globalThis.gc?.();
  const word: ProductWord = { kind: 'memory', residentBytes: process.memoryUsage().rss };
  process.send?.(word);
});
process.once('disconnect', () => process.exit(0));
