import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Reply } from '../../gateway/types.ts';

/** What `createServer` takes, if it says when it is done. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** A request for a listener that expects Node's own pair of objects. */
export interface BridgedRequest {
  readonly method: 'GET' | 'POST';
  /** Path with query. */
  readonly url: string;
  /** All that the listener sees: nothing of the client's own headers reaches it unless it is put here. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * Runs an `(IncomingMessage, ServerResponse)` listener without a connection and returns what it answered.
 * `request` is handed to `onRequest` first, so that callbacks of the listener can be tied to it.
 * Rejects if the listener fails to end its response.
 */
export async function throughListener(
  listener: Listener,
  bridged: BridgedRequest,
  onRequest?: (request: IncomingMessage) => void,
): Promise<Reply & { readonly body: string }> {
  const request = incoming(bridged);
  const response = new CapturedResponse(request);
  onRequest?.(request);
  await listener(request, response);
  if (!response.isEnded) throw new Error('the bridged listener did not end its response');
  return { status: response.statusCode, headers: headersOf(response), body: response.text() };
}

function incoming({ method, url, headers, body }: BridgedRequest): IncomingMessage {
  const socket = Object.assign(new Socket(), { encrypted: true });
  const request = new IncomingMessage(socket);
  request.method = method;
  request.url = url;
  request.httpVersion = '1.1';
  const bytes = Buffer.from(body ?? '', 'utf8');
  for (const [name, value] of Object.entries(headers)) request.headers[name.toLowerCase()] = value;
  if (body !== undefined) request.headers['content-length'] = String(bytes.byteLength);
  if (bytes.byteLength > 0) request.push(bytes);
  request.push(null);
  return request;
}

type Chunk = string | Uint8Array;
type Done = (error?: Error | null) => void;

/** Keeps what is written instead of framing it for a socket. */
class CapturedResponse extends ServerResponse {
  readonly #chunks: Buffer[] = [];
  #ended = false;

  get isEnded(): boolean {
    return this.#ended;
  }

  override write(chunk: Chunk, encoding?: BufferEncoding | Done, done?: Done): boolean {
    this.#keep(chunk, typeof encoding === 'string' ? encoding : undefined);
    (typeof encoding === 'function' ? encoding : done)?.(null);
    return true;
  }

  override end(chunk?: Chunk | (() => void), encoding?: BufferEncoding | (() => void), done?: () => void) {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
      this.#keep(chunk, typeof encoding === 'string' ? encoding : undefined);
    }
    this.#ended = true;
    for (const callback of [chunk, encoding, done]) if (typeof callback === 'function') callback();
    this.emit('finish');
    return this;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  #keep(chunk: Chunk, encoding: BufferEncoding | undefined): void {
    this.#chunks.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
  }
}

function headersOf(response: ServerResponse): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(response.getHeaders())) {
    if (value !== undefined) headers[name] = typeof value === 'number' ? String(value) : value;
  }
  return headers;
}
