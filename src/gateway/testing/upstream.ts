import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';

const echoSchema = z.object({
  method: z.string(),
  url: z.string(),
  rawHeaders: z.array(z.string()),
  body: z.string(),
});
export type Echo = z.infer<typeof echoSchema>;

export function parseEcho(value: unknown): Echo {
  return echoSchema.parse(value);
}

/** Every value that the upstream received under this name, in any spelling that a CGI would fold into it. */
export function received(echo: Echo, name: string): string[] {
  const out: string[] = [];
  for (let i = 0; i < echo.rawHeaders.length; i += 2) {
    const sent = echo.rawHeaders[i]?.toLowerCase().replace(/[^a-z0-9]/g, '-');
    if (sent === name) out.push(echo.rawHeaders[i + 1] ?? '');
  }
  return out;
}

/** A real HTTP server that answers with what it got, unless a test says otherwise. */
export class EchoUpstream {
  readonly server: Server;
  readonly seen: Echo[] = [];
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | null = null;

  private constructor() {
    this.server = createServer({ insecureHTTPParser: false }, (request, response) => {
      if (this.answer !== null) {
        this.answer(request, response);
        return;
      }
      const chunks: Buffer[] = [];
      request.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const echo: Echo = {
          method: request.method ?? '',
          url: request.url ?? '',
          rawHeaders: request.rawHeaders,
          body: Buffer.concat(chunks).toString('utf8'),
        };
        this.seen.push(echo);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(echo));
      });
    });
  }

  static async start(): Promise<EchoUpstream> {
    const upstream = new EchoUpstream();
    await new Promise((resolve) => upstream.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    return upstream;
  }

  get origin(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the upstream is not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(() => resolve(undefined)));
  }
}
