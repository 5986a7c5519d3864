// The upstream of http1-client.bench.ts: answers whatever ends a head with the same small answer, and parses nothing. Sends
// its port to its parent, and ends with it.
import { createServer } from 'node:net';

const text =
  '{"run":{"info":{"run_id":"5f2b","status":"RUNNING"},"data":{"metrics":[{"key":"loss","value":0.25}]}}}';
const answer = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'date: Thu, 01 Jan 2026 00:00:00 GMT',
    'server: uvicorn',
    'content-type: application/json',
    `content-length: ${text.length}`,
    '',
    text,
  ].join('\r\n'),
);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  // One request at a time, and none larger than a packet: each read is one.
  socket.on('data', () => socket.write(answer));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ port: address.port });
});
process.once('disconnect', () => process.exit(0));
