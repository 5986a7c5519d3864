import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { noFault, type Fault } from '../faults.ts';
import { createCosigner, generateNoteKey } from '../note.ts';
import { listenAsWitness, type WitnessListener } from '../witness/witness-listener.ts';
import { WitnessRows } from '../witness/witness-rows.ts';
import { Witness } from '../witness/witness.ts';

/** A witness of our own with state of its own, at an address that it keeps when it comes back. */
export class WitnessHouse {
  readonly name: string;
  readonly verifierKey: string;
  readonly #signingKey: string;
  readonly #home = mkdtempSync(join(tmpdir(), 'lockstep-witness-'));
  #rows: WitnessRows | null = null;
  #listener: WitnessListener | null = null;
  #port = 0;

  constructor(name: string) {
    this.name = name;
    const key = generateNoteKey(`witness.test/${name}`, 'cosignature');
    this.#signingKey = key.signingKey;
    this.verifierKey = key.verifierKey;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(logs: readonly string[], clock: Clock = systemClock, fault: Fault = noFault): Promise<Witness> {
    this.#rows = new WitnessRows(join(this.#home, 'witness.sqlite'), fault);
    const witness = new Witness({
      cosigner: createCosigner(this.#signingKey),
      logs,
      rows: this.#rows,
      clock,
    });
    this.#listener = await listenAsWitness({
      witness,
      host: '127.0.0.1',
      port: this.#port,
      tls: null,
      log: createLog('silent'),
    });
    this.#port = Number(new URL(this.#listener.url).port);
    return witness;
  }

  async stop(): Promise<void> {
    await this.#listener?.close();
    this.#rows?.close();
    this.#listener = null;
    this.#rows = null;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Somebody else's server that answers as the test says. */
export async function answering(
  answer: (body: string) => { status: number; body: string } | Promise<{ status: number; body: string }>,
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      void Promise.resolve(answer(Buffer.concat(chunks).toString('utf8'))).then(({ status, body }) =>
        response.writeHead(status).end(body),
      );
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
