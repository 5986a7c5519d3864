import { createServer, type Server, type Socket } from 'node:net';

/** A TCP server that says whatever a test wants it to, HTTP or not. */
export class RawUpstream {
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  /** Requests whose head has arrived; a connection that is kept alive brings several. */
  requests = 0;
  connections = 0;

  private constructor(answer: (socket: Socket, head: string) => void) {
    this.server = createServer((socket) => {
      this.connections++;
      this.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        this.requests++;
        answer(socket, head);
      });
    });
  }

  static async start(answer: (socket: Socket, head: string) => void, port = 0): Promise<RawUpstream> {
    const upstream = new RawUpstream(answer);
    await new Promise<void>((resolve, reject) => {
      upstream.server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return upstream;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the upstream is not listening');
    return address.port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A whole answer. */
export function answering(text: string, status = 200): (socket: Socket) => void {
  return (socket) => {
    socket.write(`HTTP/1.1 ${status} X\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
  };
}
