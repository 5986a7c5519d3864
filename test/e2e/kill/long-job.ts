// The program of a job that lives across kills: asks for a token and reads its dataset again and again, checks every
// byte, and at last writes a result. It retries what a killed gateway leaves unanswered, and nothing else.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

const [data = '', sha256 = '', output = '', seconds = '0', name = ''] = process.argv.slice(2);
const until = Date.now() + Number(seconds) * 1000;
let reads = 0;
let trouble = 0;

while (Date.now() < until || reads === 0) {
  const response = await asJob(data, { method: 'GET' });
  const bytes = response === null || !response.ok ? null : await response.arrayBuffer().catch(() => null);
  if (bytes === null) trouble += 1;
  else {
    const digest = createHash('sha256').update(Buffer.from(bytes)).digest('hex');
    if (digest !== sha256) leave(5, `the dataset is not what was uploaded: ${digest}`);
    reads += 1;
  }
  await pause(150);
}
for (;;) {
  const response = await asJob(`${output}/result.txt`, {
    method: 'PUT',
    headers: { 'x-ms-blob-type': 'BlockBlob' },
    body: `result of ${name}`,
  });
  if (response?.status === 201) break;
  await pause(150);
}
process.stdout.write(`reads ${reads} trouble ${trouble}\ndone ${name}\n`);

/** Null when the connection broke; ends the job on a refusal that is none of a gateway's absence. */
async function asJob(url: string, init: { method: string; headers?: Record<string, string>; body?: string }) {
  const token = await jobToken();
  if (token === null) return null;
  try {
    const headers = { 'x-ms-version': '2025-11-05', authorization: `Bearer ${token}`, ...init.headers };
    const response = await fetch(url, { ...init, headers });
    if (response.status !== 200 && response.status !== 201 && response.status !== 401) {
      leave(6, `${init.method} answered ${response.status}: ${await response.text()}`);
    }
    return response;
  } catch {
    return null;
  }
}

async function jobToken(): Promise<string | null> {
  const address = `${process.env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource=https://storage.azure.com`;
  const response = await fetch(address, {
    headers: { 'x-identity-header': process.env['IDENTITY_HEADER'] ?? '' },
  });
  if (response.status === 503) return null;
  const body = (await response.json()) as { access_token?: string; message?: string };
  if (body.access_token === undefined) leave(4, `no token: ${response.status} ${body.message ?? ''}`);
  return body.access_token ?? null;
}

function leave(code: number, why: string): void {
  process.stdout.write(`${why}\n`);
  process.exit(code);
}
