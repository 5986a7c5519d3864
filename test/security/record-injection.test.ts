import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { directorySource } from '../../src/ledger/sources/directory-source.ts';
import { ocsfProblems } from '../../src/ledger/testing/ocsf/ocsf-problems.ts';
import { verifyLog } from '../../src/ledger/verify/verify-log.ts';
import { canonicalJson, type Json } from '../../src/lib/canonical-json.ts';
import { openHouse, type House } from '../e2e/house.ts';
import { rawRequest, type RawRequest } from '../e2e/raw-request.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse({ tokenSeconds: 5, trainSeconds: 1, archiveMegabytes: 1 });
});
afterAll(async () => {
  await house.close();
});

const lineSchema = z.object({ sequence: z.number(), event: z.record(z.string(), z.unknown()) });
type Line = z.infer<typeof lineSchema>;

/** What an auditor is answered: the raw text, and its lines read. */
async function eventsAfter(sequence: number): Promise<{ text: string; lines: Line[] }> {
  const token = await house.stage.token('api://lockstep');
  const { text } = await rawRequest(house, `/admin/v1/events?after=${sequence}&limit=100000`, { token });
  const body = unchunked(text.slice(text.indexOf('\r\n\r\n') + 4));
  const lines = body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => lineSchema.parse(JSON.parse(line)));
  return { text: body, lines };
}

/** RFC 9112 §7.1. */
function unchunked(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (!(size > 0)) return Buffer.concat(parts).toString('utf8');
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

/** Every path of members; lists by their items. Maps whose keys are data are named and not gone into. */
function membersOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => membersOf(item, `${path}[]`));
  if (typeof value !== 'object' || value === null || /\.(attributes|tags|detail)$/.test(path)) return [path];
  return Object.entries(value).flatMap(([name, member]) => membersOf(member, `${path}.${name}`));
}

const attacks: readonly [string, string][] = [
  ['a quote that ends the text', 'x","allowed":true,"forged":"'],
  ['a whole event of its own', 'x"}}}\n{"sequence":1,"event":{"class_uid":6003,"forged":true}}'],
  ['line ends', 'x\r\n{"forged":true}\r\n'],
  ['line ends that only JavaScript knows', 'x\u2028{"forged":true}\u2029'],
  ['control characters', 'x\u0000\u0007\u001b[2J\u009b1A'],
  ['text that runs backwards', 'x\u202eevil\u2066exe.png\u2069'],
  ['half a surrogate pair', 'x\ud800y'],
  ['escapes', 'x\\u0022,\\"forged\\":true'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['very much of it', 'x'.repeat(6_000)],
];
const plain: [string, string] = ['plain text', 'plain'];

/** Everywhere that a stranger's text may be put, with or without a right to anything. */
const carriers: Record<string, (text: string) => { target: string; request: RawRequest; token?: string }> = {
  'the path': (text) => ({ target: `/${encodeURIComponent(text.toWellFormed())}`, request: {} }),
  'a resource in the path': (text) => ({
    target: `/subscriptions/${encodeURIComponent(text.toWellFormed())}?api-version=2021-01-01`,
    request: {},
    token: 'https://management.azure.com',
  }),
  'the user agent': (text) => ({
    target: '/healthz-not-here',
    request: { headers: [`User-Agent: ${inHeader(text)}`] },
  }),
  'a correlation id': (text) => ({
    target: '/tenants?api-version=2020-01-01',
    request: { headers: [`client-request-id: ${inHeader(text)}`] },
    token: 'https://management.azure.com',
  }),
  'a method': (text) => ({
    target: '/tenants',
    request: { method: inHeader(text).replaceAll(/[^\w"{}:,-]/g, '') || 'X' },
  }),
  'a client id and an assertion': (text) => ({
    target: '/11111111-1111-4111-8111-111111111111/oauth2/v2.0/token',
    request: {
      method: 'POST',
      headers: ['Content-Type: application/x-www-form-urlencoded'],
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        scope: `${text.toWellFormed().slice(0, 200)}/.default`,
        client_id: text.toWellFormed(),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: text.toWellFormed(),
      }).toString(),
    },
  }),
  'the name of a group': (text) => ({
    target: '/v1.0/groups',
    request: {
      method: 'POST',
      headers: ['Content-Type: application/json'],
      body: ascii({
        displayName: text.slice(0, 200),
        mailEnabled: false,
        mailNickname: 'x',
        securityEnabled: true,
      }),
    },
    token: 'https://graph.microsoft.com',
  }),
  'the name of a blob': (text) => ({
    target: `/${house.stage.place.storageAccount}/azureml-blobstore/${encodeURIComponent(text.toWellFormed().slice(0, 300))}`,
    request: { method: 'PUT', headers: ['x-ms-blob-type: BlockBlob'], body: 'data' },
    token: 'https://storage.azure.com',
  }),
};

/** As a header may carry it: what would end the line is left out, the rest is sent as it is. */
function inHeader(text: string): string {
  return Buffer.from(text.toWellFormed().replaceAll(/[\r\n\0]/g, ''), 'utf8')
    .toString('latin1')
    .slice(0, 7_000);
}

/** JSON in which everything but ASCII is escaped, so that half a surrogate pair arrives as one. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

async function recordedOf(carrier: string, text: string): Promise<{ text: string; lines: Line[] }> {
  const { target, request, token } = carriers[carrier]?.(text) ?? { target: '/', request: {} };
  const before = house.lockstep.foundation.ledger.lastSequence();
  await rawRequest(
    house,
    target,
    token === undefined ? request : { ...request, token: await house.stage.token(token) },
  );
  // How it ended is recorded beside the answer, not before it.
  return vi.waitUntil(
    async () => {
      const after = await eventsAfter(before);
      // Those of the question itself are of no interest.
      const lines = after.lines.filter(
        ({ event }) => !/\/admin\/v1\/events|Lockstep\.Access\/events\/read/.test(JSON.stringify(event)),
      );
      return lines.every((line) => hasEnded(line, lines)) && { ...after, lines };
    },
    { timeout: 30_000 },
  );
}

const letIn = z.object({
  metadata: z.object({ event_code: z.literal('request.decided') }),
  unmapped: z.object({ lockstep: z.object({ allowed: z.literal(true), requestId: z.string() }) }),
});
const ended = z.object({
  metadata: z.object({ event_code: z.literal('request.ended') }),
  unmapped: z.object({ lockstep: z.object({ requestId: z.string() }) }),
});

/** A request that was let in has ended as well; whatever else is told is whole by itself. */
function hasEnded({ event }: Line, lines: readonly Line[]): boolean {
  const decided = letIn.safeParse(event);
  if (!decided.success) return true;
  const { requestId } = decided.data.unmapped.lockstep;
  return lines.some((line) => ended.safeParse(line.event).data?.unmapped.lockstep.requestId === requestId);
}

describe.each(Object.keys(carriers))('%s', (carrier) => {
  test.each([...attacks, plain])('with %s is data in its record, and nothing else', async (_, attack) => {
    const { text, lines } = await recordedOf(carrier, attack);
    expect(lines.length).toBeGreaterThan(0);
    // One line for each event, in order, none left out and none made up.
    const sequences = lines.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    expect(text.replaceAll('\n', '')).toMatch(/^[^\p{Cc}]*$/u);
    for (const { event } of lines) {
      expect(ocsfProblems(event, '1.8.0')).toEqual([]);
      expect(canonicalJson(event as Json)).toSatisfy((whole: string) => text.includes(`"event":${whole}}\n`));
      expect(membersOf(event).filter((path) => /forged|__proto__|constructor/.test(path))).toEqual([]);
    }
  });

  test('with an attack is told by the same members as with plain text', async () => {
    const known = new Set<string>();
    // Both outcomes: what is let in and what is refused are told by members of their own.
    for (const text of ['plain', 'plain text that is refused \u0001']) {
      for (const { event } of (await recordedOf(carrier, text)).lines) {
        for (const path of membersOf(event)) known.add(path);
      }
    }
    for (const [name, attack] of attacks) {
      const { lines } = await recordedOf(carrier, attack);
      const other = lines.flatMap(({ event }) => membersOf(event)).filter((path) => !known.has(path));
      expect([
        name,
        other.filter((path) => !/\.(is_truncated|untruncated_size|altered)$/.test(path)),
      ]).toEqual([name, []]);
    }
  });
});

test('the log is whole after all of that', async () => {
  const { ledger, ledgerDirectory } = house.lockstep.foundation;
  await ledger.integrate();
  expect(readFileSync(join(ledgerDirectory, 'checkpoint'), 'utf8')).toContain('lockstep');
  expect(await verifyLog(directorySource(ledgerDirectory), ledger.verifierKey)).toMatchObject({ ok: true });
});
