import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { alice } from '../../testing/gateway.ts';
import { isReservedTag } from './stamps.ts';
import { MlflowHouse, refusalOf } from './testing/house.ts';

let house: MlflowHouse;
beforeEach(async () => {
  house = await MlflowHouse.open();
  house.fake.runs.set('r5', '5');
  house.fake.loggedModels.set('m-5', '5');
  house.fake.traces.set('tr-5', '5');
  house.fake.datasets.set('d-5', ['5']);
});
afterEach(() => house.close());

const api = '/api/2.0/mlflow';
const tagged = z.looseObject({ tags: z.array(z.object({ key: z.string(), value: z.string() })) });
const v2 = z.looseObject({ request_metadata: z.array(z.object({ key: z.string(), value: z.string() })) });
const v3 = z.object({
  trace: z.object({
    trace_info: z.looseObject({
      trace_metadata: z.record(z.string(), z.string()),
      tags: z.record(z.string(), z.string()),
    }),
  }),
});

function received(): unknown {
  return JSON.parse(house.fake.forwarded.at(-1)?.body ?? '');
}

const forged = [
  { key: 'mlflow.user', value: 'mallory' },
  { key: 'MLflow.User', value: 'mallory' },
  { key: 'lockstep.principal', value: 'mallory' },
  { key: 'lockstep.job', value: 'mallory' },
  { key: 'mlflow.source.name', value: 'train.py' },
];
const decision = expect.stringMatching(/^dec_/) as string;
const author = [
  { key: 'mlflow.user', value: 'alice@example.test' },
  { key: 'lockstep.principal', value: alice },
  { key: 'lockstep.decision', value: decision },
];

describe('who makes something is its author, whatever they say', () => {
  it.each(['/api', '/ajax-api'])('of a run, through %s', async (prefix) => {
    const body = { experiment_id: '5', user_id: 'mallory', start_time: 1_700_000_000_123, tags: forged };
    const response = await house.send('alice', 'POST', `${prefix}/2.0/mlflow/runs/create`, body);
    expect(response.status).toBe(200);
    expect(received()).toEqual({
      experiment_id: '5',
      user_id: 'alice@example.test',
      start_time: 1_700_000_000_123,
      tags: [{ key: 'mlflow.source.name', value: 'train.py' }, ...author],
    });
    expect(house.fake.forwarded.at(-1)?.body).not.toContain('mallory');
  });

  it('of a run that says nothing of an author, or of tags', async () => {
    for (const tags of [undefined, null, []]) {
      await house.send('alice', 'POST', `${api}/runs/create`, { experiment_id: '5', tags });
      expect(tagged.parse(received()).tags).toEqual(author);
      expect(received()).toMatchObject({ user_id: 'alice@example.test' });
    }
  });

  it('names the decision that the log has, and the job if there is one', async () => {
    await house.send('job', 'POST', `${api}/runs/create`, { experiment_id: '5' });
    const { tags } = tagged.parse(received());
    const told = tags.find(({ key }) => key === 'lockstep.decision')?.value;
    const decided = house.gateway.facts.flatMap((fact) =>
      fact.kind === 'request.decided' ? [fact.attribution.decisionId] : [],
    );
    expect(decided).toEqual([told]);
    expect(tags).toContainEqual({ key: 'lockstep.job', value: 'cccccccc-cccc-4ccc-8ccc-cccccccccccc' });
  });

  it('of a logged model', async () => {
    await house.send('alice', 'POST', `${api}/logged-models`, { experiment_id: '5', tags: forged });
    expect(tagged.parse(received()).tags).toEqual([forged[4], ...author]);
  });

  it('of a trace, in the old form and in the new', async () => {
    await house.send('alice', 'POST', `${api}/traces`, {
      experiment_id: '5',
      request_metadata: forged,
      tags: forged,
    });
    expect(v2.parse(received()).request_metadata).toEqual([forged[4], ...author]);
    expect(tagged.parse(received()).tags).toEqual([forged[4]]);
    const map = Object.fromEntries(forged.map(({ key, value }) => [key, value]));
    const where = { mlflow_experiment: { experiment_id: '5' } };
    const info = { trace_id: 'tr-n', trace_location: where, trace_metadata: map, tags: map };
    await house.send('alice', 'POST', '/api/3.0/mlflow/traces', { trace: { trace_info: info } });
    const got = v3.parse(received()).trace.trace_info;
    expect(got.trace_metadata).toEqual({
      'mlflow.source.name': 'train.py',
      ...Object.fromEntries(author.map(({ key, value }) => [key, value])),
    });
    expect(got.tags).toEqual({ 'mlflow.source.name': 'train.py' });
  });

  it('of an evaluation dataset, whose tags are JSON within a string', async () => {
    const given = JSON.stringify({
      'mlflow.user': 'mallory',
      'lockstep.principal': 'mallory',
      team: 'birds',
    });
    for (const tags of [given, '', null, undefined]) {
      const body = { name: 'd', experiment_ids: ['5'], tags };
      expect((await house.send('alice', 'POST', '/api/3.0/mlflow/datasets/create', body)).status).toBe(200);
      const told = z.object({ tags: z.string() }).loose().parse(received()).tags;
      expect(JSON.parse(told)).toEqual({
        ...(tags === given ? { team: 'birds' } : {}),
        ...Object.fromEntries(author.map(({ key, value }) => [key, value])),
      });
    }
  });

  it('and says so, and where, ahead of all that the server might stumble over', async () => {
    const broken = { status: 'NONE' };
    const location = { inference_table: 5, mlflow_experiment: { experiment_id: '5' } };
    const cases: readonly [string, object, RegExp][] = [
      [
        `${api}/runs/create`,
        { ...broken, tags: [], experiment_id: '5' },
        /^\{"experiment_id":"5","user_id":.*"tags":.*"status"/,
      ],
      [
        `${api}/logged-models`,
        { params: [{ value: {} }], experiment_id: '5' },
        /^\{"experiment_id":"5","tags":.*"params"/,
      ],
      [
        `${api}/traces`,
        { timestamp_ms: {}, experiment_id: '5' },
        /^\{"experiment_id":"5","request_metadata":.*"tags":.*"timestamp_ms"/,
      ],
      [
        '/api/3.0/mlflow/traces',
        { trace: { spans: 5, trace_info: { state: {}, trace_id: 'tr-9', trace_location: location } } },
        /^\{"trace":\{"trace_info":\{"trace_location":\{"mlflow_experiment":\{"experiment_id":"5"\},.*"trace_metadata":.*"trace_id".*"state".*"spans"/,
      ],
      [
        '/api/3.0/mlflow/issues/search',
        { max_results: {}, filter_string: 'ü', experiment_id: '5' },
        /^\{"experiment_id":"5","max_results":\{\},"filter_string":"ü"\}$/,
      ],
    ];
    for (const [path, body, shape] of cases) {
      expect((await house.send('alice', 'POST', path, body)).status).toBe(200);
      expect(house.fake.forwarded.at(-1)?.body).toMatch(shape);
    }
  });

  it('of a trace, which neither takes over another’s assessment nor says where it is kept', async () => {
    const info = {
      trace_id: 'tr-5',
      trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '5' } },
      trace_metadata: { 'mlflow.auth.username': 'mallory' },
      tags: { 'mlflow.artifactLocation': 's3://b/7/traces/tr-7/artifacts', 'mlflow.traceName': 'n' },
      assessments: [
        { assessment_id: 'a-7', assessment_name: 'good', rationale: 'forged' },
        { assessmentId: 'a-7', assessment_name: 'bad' },
      ],
    };
    await house.send('alice', 'POST', '/api/3.0/mlflow/traces', { trace: { trace_info: info } });
    const got = v3.parse(received()).trace.trace_info;
    expect(got.tags).toEqual({ 'mlflow.traceName': 'n' });
    expect(got.trace_metadata).not.toHaveProperty('mlflow.auth.username');
    expect(got['assessments']).toEqual([
      { assessment_name: 'good', rationale: 'forged' },
      { assessment_name: 'bad' },
    ]);
  });

  it('is not forged by tags that are no tags', async () => {
    for (const tags of [
      { 'mlflow.user': 'mallory' },
      [{ KEY: 'mlflow.user' }],
      ['mlflow.user'],
      [{ key: 5 }],
      [{ key: 'a', value: {} }],
    ]) {
      const response = await house.send('alice', 'POST', `${api}/runs/create`, { experiment_id: '5', tags });
      expect(response.status).toBe(400);
    }
    expect(house.fake.forwarded).toEqual([]);
  });
});

describe('nobody becomes the author afterwards, nor says where something is kept', () => {
  const tag = { key: 'mlflow.user', value: 'mallory' };
  it.each<[string, string, unknown?]>([
    ['POST', `${api}/runs/set-tag`, { run_id: 'r5', ...tag }],
    ['POST', `/ajax-api/2.0/mlflow/runs/set-tag`, { run_uuid: 'r5', ...tag }],
    ['POST', `${api}/runs/set-tag`, { run_id: 'r5', key: 'lockstep.principal', value: alice }],
    ['POST', `${api}/runs/delete-tag`, { run_id: 'r5', key: 'mlflow.user' }],
    ['POST', `${api}/runs/log-batch`, { run_id: 'r5', tags: [{ key: 'a', value: 'b' }, tag] }],
    ['PATCH', `${api}/logged-models/m-5/tags`, { tags: [tag] }],
    ['DELETE', `${api}/logged-models/m-5/tags/lockstep.principal`],
    ['DELETE', `${api}/logged-models/m-5/tags/lockstep.principal%20`],
    ['PATCH', '/api/3.0/mlflow/traces/tr-5/tags', tag],
    ['DELETE', '/api/3.0/mlflow/traces/tr-5/tags', { key: 'mlflow.user' }],
    ['PATCH', `${api}/traces/tr-5/tags`, tag],
    ['PATCH', `${api}/traces/tr-5`, { request_metadata: [tag] }],
    ['PATCH', '/api/3.0/mlflow/datasets/d-5/tags', { tags: '{"a":"b","mlflow.user":"mallory"}' }],
    ['PATCH', '/api/3.0/mlflow/datasets/d-5/tags', { tags: '{"mlflow\\u002euser":null}' }],
    ['DELETE', '/api/3.0/mlflow/datasets/d-5/tags/lockstep.principal'],
    ['PATCH', '/api/3.0/mlflow/traces/tr-5/tags', { key: 'mlflow.artifactLocation', value: 's3://b/7' }],
    ['PATCH', `${api}/traces/tr-5/tags`, { key: 'mlflow.artifactLocation', value: 'file:///etc' }],
    ['PATCH', `${api}/traces/tr-5`, { tags: [{ key: 'mlflow.trace.archiveLocation', value: 's3://b/7' }] }],
    ['PATCH', `${api}/traces/tr-5`, { tags: [{ key: 'mlflow.trace.spansLocation', value: 'ARCHIVE_REPO' }] }],
    ['POST', `${api}/experiments/create`, { name: 'x', tags: [{ key: 'lockstep.principal', value: 'x' }] }],
    ['POST', `${api}/experiments/set-experiment-tag`, { experiment_id: '5', key: 'lockstep.x', value: 'y' }],
    ['POST', `${api}/registered-models/set-tag`, { name: 'm', key: 'lockstep.x', value: 'y' }],
    ['POST', `${api}/model-versions/set-tag`, { name: 'm', version: '1', key: 'lockstep.x', value: 'y' }],
    ['POST', `${api}/model-versions/create`, { name: 'm', source: 'runs:/r5/m', tags: [tag] }],
  ])('by %s %s', async (method, path, body) => {
    const response = await house.send('alice', method, path, body);
    const refusal = await refusalOf(response);
    expect(refusal).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
    expect(house.fake.forwarded).toEqual([]);
  });

  it('but what is not the author’s may be changed, byte for byte as it was sent', async () => {
    const body =
      '{ "run_id": "r5", "metrics": [{"key":"m","value":1.0,"step":9007199254740993}], "tags": [{"key":"t","value":"u"}] }';
    expect((await house.send('alice', 'POST', `${api}/runs/log-batch`, body)).status).toBe(200);
    expect(house.fake.forwarded.at(-1)?.body).toBe(body);
  });
});

describe('a reserved tag', () => {
  it.each([
    'mlflow.user',
    'MLFLOW.USER',
    ' mlflow.user ',
    'mlflow.usér',
    'ｍlflow.user',
    'mlflow.us\u200ber',
    'lockstep.',
    'Lockstep.x',
    'mlflow.auth.userId',
    'mlflow.artifactLocation',
    'MLflow.Trace.SpansLocation',
    'mlflow.trace.archiveLocation',
  ])('is one as the loosest of databases compares: %j', (key) => {
    expect(isReservedTag(key)).toBe(true);
  });

  it.each([
    'mlflow.userName',
    'mlflow.user.x',
    'mlflow.authors',
    'mlflow.trace.archivalFailure',
    'mlflow.source.name',
    'lockstep',
    'my.lockstep.x',
    '',
  ])('is not %j', (key) => {
    expect(isReservedTag(key)).toBe(false);
  });
});
