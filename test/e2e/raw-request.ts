import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { connect } from 'node:tls';
import type { House } from './house.ts';

export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  readonly status: number;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly token?: string;
}

/** Exactly these bytes as request target; nothing normalises them on the way. */
export async function rawRequest(
  house: Pick<House, 'url' | 'ca'>,
  target: string,
  { method = 'GET', headers = [], body, token }: RawRequest = {},
): Promise<RawAnswer> {
  const { port, host } = new URL(house.url);
  const socket = connect({ port: Number(port), host: '127.0.0.1', ca: house.ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  const head = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: close',
    'x-ms-version: 2025-11-05',
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...headers,
  ];
  socket.write(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body ?? ''}`, 'latin1'));
  const text = (await buffer(socket)).toString('utf8');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}
