import { connect, type TLSSocket } from 'node:tls';
import type { TestGateway } from './gateway.ts';

/** Frame types of RFC 9113 §6. */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const flags = { none: 0, endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;
export const errorCodes = {
  noError: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flag: number, stream: number, payload: Uint8Array | string = ''): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flag, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

export function settings(entries: Readonly<Record<number, number>> = {}): Buffer {
  const payload = Buffer.concat(
    Object.entries(entries).map(([id, value]) => {
      const entry = Buffer.alloc(6);
      entry.writeUInt16BE(Number(id), 0);
      entry.writeUInt32BE(value, 2);
      return entry;
    }),
  );
  return frame(frameTypes.settings, flags.none, 0, payload);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export type Field = readonly [name: string, value: string];

/** Fields as literals without indexing, in no code: RFC 7541 §6.2.2. Nothing checks what is in them. */
export function block(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 §5.1. */
export function integer(value: number, prefixBits: number, first = 0): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** A connection to the gateway whose frames are written by hand. */
export class FrameConnection {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  closed = false;
  #rest = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => undefined).on('close', () => (this.closed = true));
  }

  /** With its preface and first SETTINGS sent, unless `silent`. */
  static async open(
    { port, ca }: Pick<TestGateway, 'port' | 'ca'>,
    {
      settings: own = {},
      silent = false,
    }: { settings?: Readonly<Record<number, number>>; silent?: boolean } = {},
  ): Promise<FrameConnection> {
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ALPNProtocols: ['h2'] });
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', () => resolve(undefined)).once('error', reject);
    });
    const connection = new FrameConnection(socket);
    if (!silent) connection.send(preface, settings(own));
    return connection;
  }

  send(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  headers(stream: number, fields: readonly Field[], flag: number = flags.endHeaders | flags.endStream): void {
    this.send(frame(frameTypes.headers, flag, stream, block(fields)));
  }

  /** The first frame that meets this, past or to come; null when the connection closes without it. */
  async next(wanted: (frame: Frame) => boolean): Promise<Frame | null> {
    const limit = Date.now() + 20_000;
    for (;;) {
      const found = this.frames.find(wanted);
      if (found !== undefined || this.closed) return found ?? null;
      if (Date.now() > limit) throw new Error('the frame never came');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** The code of the reset of a stream; null when the connection closes without one. */
  async reset(stream: number): Promise<number | null> {
    const found = await this.next(({ type, stream: id }) => type === frameTypes.rstStream && id === stream);
    return found?.payload.readUInt32BE(0) ?? null;
  }

  /** The code of the GOAWAY; null when the connection closes without one. */
  async goaway(): Promise<number | null> {
    return (await this.next(({ type }) => type === frameTypes.goaway))?.payload.readUInt32BE(4) ?? null;
  }

  /** The body of the answer on a stream, when it has ended. */
  async body(stream: number): Promise<string> {
    await this.next(
      ({ type, stream: id, flags: flag }) =>
        id === stream &&
        ((type <= frameTypes.headers && (flag & flags.endStream) !== 0) || type === frameTypes.rstStream),
    );
    const data = this.frames.filter(({ type, stream: id }) => type === frameTypes.data && id === stream);
    return Buffer.concat(data.map(({ payload }) => payload)).toString('utf8');
  }

  /** Whether the connection still answers. */
  async isAlive(): Promise<boolean> {
    const before = this.frames.length;
    this.send(frame(frameTypes.ping, flags.none, 0, Buffer.alloc(8)));
    const isAck = ({ type, flags: flag }: Frame): boolean => type === frameTypes.ping && flag === flags.ack;
    return (await this.next((one) => isAck(one) && this.frames.indexOf(one) >= before)) !== null;
  }

  close(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const [type = 0, flag = 0] = this.#rest.subarray(3, 5);
      const stream = this.#rest.readUInt32BE(5) & 0x7fff_ffff;
      this.frames.push({ type, flags: flag, stream, payload: this.#rest.subarray(9, 9 + length) });
      this.#rest = this.#rest.subarray(9 + length);
      if (type === frameTypes.settings && flag === 0) {
        this.send(frame(frameTypes.settings, flags.ack, 0));
      }
    }
  }
}
