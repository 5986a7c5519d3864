import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Log } from '../../lib/log.ts';
import type { Witness } from './witness.ts';

/** 63 hashes and a checkpoint with the 100 signatures that a note may carry, each of the longest kind. */
const maxRequestBytes = 512 * 1024;
const requestMilliseconds = 10_000;

export interface WitnessListenerOptions {
  readonly witness: Witness;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** PEM; null to speak plain HTTP, behind a proxy or within one machine. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  readonly log: Log;
}

export interface WitnessListener {
  readonly url: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** `POST /add-checkpoint` and `GET /<hash of origin>/checkpoint`; anything else is 404. c2sp.org/tlog-witness. */
export async function listenAsWitness(options: WitnessListenerOptions): Promise<WitnessListener> {
  const { witness, log, tls, host, port } = options;
  const listener: RequestListener = (request, response) => {
    answer(witness, request)
      .catch((error: unknown): Answer => {
        log.error({ err: error }, 'the witness cannot answer');
        return { status: 500, contentType: 'text/plain; charset=utf-8', body: 'the witness cannot answer\n' };
      })
      .then(({ status, contentType, body }) => {
        if (status !== 200) log.info({ status, said: body.trim(), url: request.url }, 'not cosigned');
        response
          .writeHead(status, { 'content-type': contentType, 'x-content-type-options': 'nosniff' })
          .end(body);
      })
      .catch(() => response.destroy());
  };
  const server =
    tls === null
      ? createServer(listener)
      : createTlsServer({ cert: tls.certificate, key: tls.key }, listener);
  server.requestTimeout = requestMilliseconds;
  server.headersTimeout = requestMilliseconds;
  await listening(server, host, port);
  const address = server.address() as AddressInfo;
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `${tls === null ? 'http' : 'https'}://${shown}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function answer(witness: Witness, request: IncomingMessage): Promise<Answer> {
  const { method, url = '' } = request;
  if (url === '/add-checkpoint') {
    if (method !== 'POST') return text(405, 'a checkpoint is sent with POST');
    const body = await bodyOf(request);
    return body === null ? text(413, 'the request is too long') : witness.addCheckpoint(body);
  }
  const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(url) ?? [];
  if (originHash !== undefined && (method === 'GET' || method === 'HEAD')) {
    const note = witness.checkpoint(originHash);
    if (note !== null) return { status: 200, contentType: 'text/plain; charset=utf-8', body: note };
  }
  return text(404, 'there is nothing here');
}

/** Null when it is longer than a request can be. */
async function bodyOf(request: AsyncIterable<Buffer>): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > maxRequestBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function text(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` };
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => resolve());
  });
}
