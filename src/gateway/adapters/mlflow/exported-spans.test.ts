import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportedTraceIds } from './exported-spans.ts';
import { MlflowHouse, refusalOf, scope } from './testing/house.ts';

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function field(number: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

const keyValue = (key: string) => [field(1, key), field(2, field(1, 'value'))];
const attribute = (key: string) => field(9, ...keyValue(key));
const resource = (...keys: readonly string[]) =>
  field(1, ...keys.map((key) => field(1, ...keyValue(key))), Buffer.from([0x10, 0x00]));
/** Of a span: trace id, span id, name, a fixed64 time, a varint, a fixed32, attributes. */
const span = (id: string, ...more: readonly Buffer[]) =>
  field(
    2,
    field(1, Buffer.from(id, 'hex')),
    field(2, Buffer.alloc(8, 1)),
    field(5, 'name'),
    Buffer.from([0x39, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([0x30, 0x96, 0x01]),
    Buffer.from([0x85, 0x01, 1, 0, 0, 0]),
    ...more,
  );
const request = (...spans: readonly Buffer[]) =>
  field(1, resource('service.name'), field(2, field(1, 'scope'), ...spans));

const first = '0123456789abcdef0123456789abcdef';
const second = 'ffffffffffffffffffffffffffffffff';

describe('an export of spans', () => {
  it('names each trace once, whatever else stands in it', () => {
    const bytes = Buffer.concat([request(span(first), span(first)), request(span(second, attribute('x')))]);
    expect(exportedTraceIds(bytes)).toEqual([`tr-${first}`, `tr-${second}`]);
    expect(exportedTraceIds(Buffer.alloc(0))).toEqual([]);
  });

  it('names both ids of a span that has two', () => {
    expect(exportedTraceIds(request(span(first, field(1, Buffer.from(second, 'hex')))))).toHaveLength(2);
  });

  it.each([
    'mlflow.traceTag.mlflow.user',
    'mlflow.traceTag.lockstep.principal',
    'mlflow.traceTag.LOCKSTEP.x',
    'lockstep.x',
    'mlflow.traceTag.mlflow.artifactLocation',
  ])('must not bring an author or a place of its own: %s', (key) => {
    expect(() => exportedTraceIds(request(span(first, attribute(key))))).toThrow(/not the sender's to write/);
  });

  it.each(['lockstep.principal', 'Lockstep.Job', 'MLFLOW.USER'])(
    'must not bring one with what made the spans, of which MLflow makes tags too: %s',
    (key) => {
      const of = (...resources: readonly Buffer[]) =>
        field(1, ...resources, field(2, field(1, 'scope'), span(first)));
      for (const bytes of [
        of(resource('service.name', key)),
        of(resource('service.name'), resource(key)),
        Buffer.concat([request(span(first)), field(1, resource(key))]),
      ]) {
        expect(() => exportedTraceIds(bytes)).toThrow(/not the sender's to write/);
      }
    },
  );

  it.each([
    ['empty messages', Buffer.alloc(4 << 20, field(1))],
    ['empty messages within one', field(1, Buffer.alloc((4 << 20) - 20, field(2)))],
  ])('must not keep everybody waiting with %s', (_, bytes) => {
    expect(() => exportedTraceIds(bytes)).toThrow(/too many messages/);
  });

  it('brings other tags and attributes', () => {
    const bytes = request(span(first, attribute('mlflow.traceTag.team'), attribute('mlflow.spanType')));
    expect(exportedTraceIds(bytes)).toHaveLength(1);
  });

  it.each<[string, Buffer]>([
    ['ends in the midst', request(span(first)).subarray(0, -1)],
    ['has an id of another length', request(span('0123'))],
    ['has a group', Buffer.concat([Buffer.from([0x0b]), request(span(first))])],
    ['has spans that are a number', field(1, field(2, Buffer.from([0x10, 0x01])))],
    ['has a number without an end', Buffer.alloc(12, 0xff)],
    ['has a field without a number', Buffer.from([0x02, 0x00])],
    ['is text', Buffer.from('protobuf')],
  ])('is refused when it %s', (_, bytes) => {
    expect(() => exportedTraceIds(bytes)).toThrow(/ExportTraceServiceRequest/);
  });

  it('is read or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          exportedTraceIds(Buffer.from(bytes));
        } catch (thrown) {
          expect(String(thrown)).toMatch(/ExportTraceServiceRequest|Lockstep alone/);
        }
      }),
    );
  });
});

describe('through the gateway', () => {
  let house: MlflowHouse;
  beforeEach(async () => {
    house = await MlflowHouse.open();
    house.fake.traces.set(`tr-${second}`, '7');
    house.fake.runs.set('r5', '5').set('r7', '7');
    house.bobMay = [{ scope: `${scope}/experiments/5`, actions: /./ }];
  });
  afterEach(() => house.close());

  const send = (bytes: Buffer, headers: Readonly<Record<string, string>>) =>
    house.gateway.fetch('/connections/mlflow/v1/traces', {
      method: 'POST',
      headers: { authorization: 'Bearer bob', 'content-type': 'application/x-protobuf', ...headers },
      body: bytes,
    });

  it('spans reach the experiment of the header, byte for byte', async () => {
    const bytes = request(span(first));
    expect((await send(bytes, { 'x-mlflow-experiment-id': '5', 'x-mlflow-run-id': 'r5' })).status).toBe(200);
    expect(house.decided()).toEqual(['experiments/runs/write @ experiments/5']);
    expect(house.fake.forwarded[0]?.body).toBe(bytes.toString('utf8'));
  });

  it.each<[string, Buffer, Readonly<Record<string, string>>]>([
    ['another experiment', request(span(first)), { 'x-mlflow-experiment-id': '7' }],
    ['a trace of another', request(span(first), span(second)), { 'x-mlflow-experiment-id': '5' }],
    ['a run of another', request(span(first)), { 'x-mlflow-experiment-id': '5', 'x-mlflow-run-id': 'r7' }],
    ['no experiment', request(span(first)), {}],
    ['two', request(span(first)), { 'x-mlflow-experiment-id': '5, 7' }],
  ])('but not %s', async (_, bytes, headers) => {
    expect(await refusalOf(await send(bytes, headers))).toMatchObject({
      status: 403,
      code: 'PERMISSION_DENIED',
    });
    expect(house.fake.forwarded).toEqual([]);
  });

  it.each([{ 'content-encoding': 'gzip' }, { 'content-type': 'application/json' }])(
    'what cannot be looked into is refused: %o',
    async (headers) => {
      house.bobMay = [{ scope, actions: /./ }];
      const response = await send(request(span(first)), { 'x-mlflow-experiment-id': '5', ...headers });
      expect(response.status).toBe(415);
      expect(house.fake.forwarded).toEqual([]);
    },
  );
});
