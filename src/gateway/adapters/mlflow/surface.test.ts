import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { deniedRoute, deniedRoutes } from './denied-routes.ts';
import { mlflowRoutes } from './routes.ts';
import { findMlflowRoute } from './surface.ts';
import { MlflowHouse, refusalOf, scope } from './testing/house.ts';

let house: MlflowHouse;
beforeEach(async () => {
  house = await MlflowHouse.open();
  furnish();
});
afterEach(() => house.close());

function furnish(): void {
  const { fake } = house;
  fake.experiments.set('penguins', '5').set('secrets', '7').set('default', '0');
  fake.runs.set('r5', '5').set('r7', '7');
  fake.loggedModels.set('m-5', '5').set('m-7', '7');
  fake.traces.set('tr-5', '5').set('tr-7', '7');
  fake.datasets.set('d-5', ['5']).set('d-57', ['5', '7']);
  fake.models = ['mine', 'theirs', 'Mine', 'more'];
  // Bob is a data scientist of experiment 5 and of the model `mine`.
  house.bobMay = [
    { scope: `${scope}/experiments/5`, actions: /./ },
    { scope: `${scope}/models/mine`, actions: /./ },
  ];
}

const json = z.record(z.string(), z.unknown());
const api = '/api/2.0/mlflow';

async function reopen(over: Parameters<typeof MlflowHouse.open>[0]): Promise<void> {
  await house.close();
  house = await MlflowHouse.open(over);
  furnish();
}

describe('where a request is decided', () => {
  it.each<[string, string, unknown, string[]]>([
    ['GET', `${api}/experiments/get?experiment_id=5`, undefined, ['experiments/read @ experiments/5']],
    [
      'GET',
      `/ajax-api/2.0/mlflow/experiments/get?experiment_id=5`,
      undefined,
      ['experiments/read @ experiments/5'],
    ],
    ['POST', `${api}/experiments/delete`, { experiment_id: '5' }, ['experiments/delete @ experiments/5']],
    ['POST', `${api}/experiments/create`, { name: 'x' }, ['experiments/write @ .']],
    ['POST', `${api}/runs/create`, { experiment_id: '5' }, ['experiments/runs/write @ experiments/5']],
    ['GET', `${api}/runs/get?run_id=r5`, undefined, ['experiments/runs/read @ experiments/5']],
    ['GET', `${api}/runs/get?run_uuid=r5`, undefined, ['experiments/runs/read @ experiments/5']],
    [
      'POST',
      `${api}/runs/log-metric`,
      { run_id: 'r5', key: 'k' },
      ['experiments/runs/write @ experiments/5'],
    ],
    ['POST', `${api}/runs/log-metric`, { run_uuid: 'r5' }, ['experiments/runs/write @ experiments/5']],
    ['POST', `${api}/runs/delete`, { run_id: 'r5' }, ['experiments/runs/delete @ experiments/5']],
    [
      'POST',
      `${api}/runs/search`,
      { experiment_ids: ['5', '7', '5'] },
      ['experiments/runs/read @ experiments/5', 'experiments/runs/read @ experiments/7'],
    ],
    ['POST', `${api}/runs/search`, {}, ['experiments/runs/read @ .']],
    [
      'GET',
      `${api}/metrics/get-history-bulk-interval?run_ids=r5&run_ids=r7&metric_key=m`,
      undefined,
      ['experiments/runs/read @ experiments/5', 'experiments/runs/read @ experiments/7'],
    ],
    [
      'GET',
      `${api}/artifacts/list?run_id=r7&path=a/b`,
      undefined,
      ['metadata/artifacts/read @ experiments/7'],
    ],
    [
      'PUT',
      '/api/2.0/mlflow-artifacts/artifacts/5/r5/artifacts/a.txt',
      undefined,
      ['metadata/artifacts/write @ experiments/5'],
    ],
    [
      'POST',
      '/api/2.0/mlflow-artifacts/mpu/create/5/models/m-5/artifacts/a',
      {},
      ['metadata/artifacts/write @ experiments/5'],
    ],
    [
      'GET',
      '/api/2.0/mlflow-artifacts/artifacts?path=7%2Fr7',
      undefined,
      ['metadata/artifacts/read @ experiments/7'],
    ],
    ['GET', '/api/2.0/mlflow-artifacts/artifacts', undefined, ['metadata/artifacts/read @ .']],
    ['GET', '/get-artifact?run_id=r5&path=a', undefined, ['metadata/artifacts/read @ experiments/5']],
    [
      'POST',
      '/ajax-api/2.0/mlflow/upload-artifact?run_uuid=r5&path=a',
      'bytes',
      ['metadata/artifacts/write @ experiments/5'],
    ],
    ['GET', `${api}/logged-models/m-7`, undefined, ['experiments/runs/read @ experiments/7']],
    [
      'POST',
      `${api}/logged-models/search`,
      { experiment_ids: ['5'] },
      ['experiments/runs/read @ experiments/5'],
    ],
    ['GET', '/api/3.0/mlflow/traces/tr-7', undefined, ['experiments/runs/read @ experiments/7']],
    [
      'POST',
      '/api/3.0/mlflow/traces/search',
      { locations: [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '5' } }] },
      ['experiments/runs/read @ experiments/5'],
    ],
    [
      'POST',
      `${api}/traces/link-to-run`,
      { run_id: 'r5', trace_ids: ['tr-7'] },
      ['experiments/runs/write @ experiments/5', 'experiments/runs/write @ experiments/7'],
    ],
    [
      'GET',
      '/api/3.0/mlflow/datasets/d-57',
      undefined,
      ['datasets/registered/read @ experiments/5', 'datasets/registered/read @ experiments/7'],
    ],
    ['GET', `${api}/registered-models/get?name=Mine`, undefined, ['models/read @ models/%4dine']],
    [
      'POST',
      `${api}/registered-models/rename`,
      { name: 'mine', new_name: 'theirs' },
      ['models/write @ models/mine', 'models/write @ models/theirs'],
    ],
    [
      'DELETE',
      `${api}/model-versions/delete`,
      { name: 'mine', version: '1' },
      ['models/versions/delete @ models/mine'],
    ],
    ['GET', `${api}/webhooks`, undefined, ['write @ .']],
    ['POST', '/gateway/mlflow/v1/chat/completions', { model: 'x' }, ['onlineEndpoints/score/action @ .']],
    ['POST', '/ajax-api/3.0/jobs/', { job_name: 'x' }, ['jobs/write @ .']],
    [
      'POST',
      '/graphql',
      { query: '{ mlflowGetRun(input: {runId: "r5"}) { run { info { runId } } } }' },
      ['experiments/read @ experiments/5', 'experiments/runs/read @ experiments/5'],
    ],
  ])('%s %s', async (method, path, body, decided) => {
    const response = await house.send('alice', method, path, body);
    expect(response.status).toBe(200);
    expect(house.decided()).toEqual(decided);
    expect(house.fake.forwarded.at(-1)?.url).toBe(path);
  });

  it.each<[string, string, unknown, number]>([
    ['POST', `${api}/runs/search`, {}, 1],
    ['POST', '/api/3.0/mlflow/traces/search', {}, 1],
    ['GET', '/api/2.0/mlflow-artifacts/artifacts', undefined, 1],
    ['GET', '/api/3.0/mlflow/issues/i-1', undefined, 1],
    ['POST', '/ajax-api/3.0/jobs/', { job_name: 'x' }, 1],
    ['POST', `${api}/experiments/create`, { name: 'x' }, 0],
    ['GET', `${api}/experiments/get-by-name?experiment_name=none`, undefined, 0],
    ['GET', `${api}/runs/get?run_id=unknown`, undefined, 0],
    ['POST', '/gateway/mlflow/v1/chat/completions', { model: 'x' }, 0],
    ['POST', `${api}/runs/search`, { experiment_ids: ['5'] }, 0],
  ])('%s %s is decided for all that lies beneath, where it may be about any of it', async (...given) => {
    const [method, path, body, whole] = given;
    await house.send('alice', method, path, body);
    expect(house.asked.length).toBeGreaterThan(0);
    expect(house.asked.filter(({ subtree }) => subtree === true)).toHaveLength(whole);
  });

  it('is the whole connection for what the server does not know, and its own 404 is passed on', async () => {
    const response = await house.send('alice', 'GET', `${api}/runs/get?run_id=unknown`);
    expect(await refusalOf(response)).toMatchObject({ status: 404, code: 'RESOURCE_DOES_NOT_EXIST' });
    expect(house.decided()).toEqual(['experiments/runs/read @ .']);
    const bobs = await house.send('bob', 'GET', `${api}/runs/get?run_id=unknown`);
    expect(await refusalOf(bobs)).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
  });

  it('asks the server once for a run, as itself and never with the caller’s credential', async () => {
    for (let i = 0; i < 3; i += 1) await house.send('bob', 'GET', `${api}/metrics/get-history?run_id=r5`);
    const questions = house.fake.seen.filter((seen) => !house.fake.forwarded.includes(seen));
    expect(questions.map(({ url }) => url)).toEqual(['/api/2.0/mlflow/runs/get?run_id=r5']);
    expect(questions[0]?.headers['authorization']).toBe('Basic upstream');
    expect(JSON.stringify(house.fake.seen)).not.toContain('Bearer');
  });

  it('cannot be told when the server does not answer: clients are asked to come again', async () => {
    house.fake.instead = (_, response) => {
      response.writeHead(500).end('{}');
      return true;
    };
    const response = await house.send('alice', 'GET', `${api}/runs/get?run_id=r5`);
    expect(await refusalOf(response)).toMatchObject({ status: 502, code: 'TEMPORARILY_UNAVAILABLE' });
    expect(house.fake.forwarded).toEqual([]);
  });

  it('is not guessed from an answer that is no id', async () => {
    house.fake.runs.set('odd', '../5');
    const response = await house.send('alice', 'GET', `${api}/runs/get?run_id=odd`);
    expect(response.status).toBe(502);
  });
});

describe('somebody else’s things', () => {
  it.each<[string, string, unknown?]>([
    ['GET', `${api}/experiments/get?experiment_id=7`],
    ['GET', `${api}/experiments/get-by-name?experiment_name=secrets`],
    ['GET', `/ajax-api/2.0/mlflow/runs/get?run_id=r7`],
    ['POST', `${api}/runs/search`, { experiment_ids: ['5', '7'] }],
    ['POST', `${api}/runs/search`, {}],
    ['POST', `${api}/runs/log-batch`, { run_id: 'r7', metrics: [] }],
    ['GET', `/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=r5&run_id=r7&metric_key=m`],
    ['GET', '/api/2.0/mlflow-artifacts/artifacts/7/r7/artifacts/a.txt'],
    ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=7/r7/artifacts'],
    // The server knows no `?path`, and lists everything.
    ['GET', '/api/2.0/mlflow-artifacts/artifacts??path=5/r5/artifacts'],
    ['GET', '/get-artifact??run_id=r5&run_uuid=r7&path=a'],
    ['PUT', '/api/2.0/mlflow-artifacts/artifacts/7/r7/artifacts/a.txt', 'x'],
    ['POST', '/api/2.0/mlflow-artifacts/mpu/create/7/r7/artifacts/a.txt', {}],
    ['GET', '/get-artifact?run_id=r7&path=a'],
    ['POST', '/ajax-api/2.0/mlflow/upload-artifact?run_uuid=r7&path=a', 'x'],
    ['GET', `${api}/logged-models/m-7`],
    ['PATCH', `${api}/logged-models/m-7`, { model_id: 'm-7', status: 2 }],
    ['POST', `${api}/runs/log-metric`, { run_id: 'r5', key: 'k', model_id: 'm-7' }],
    [
      'POST',
      `${api}/runs/log-batch`,
      { run_id: 'r5', metrics: [{ key: 'k' }, { key: 'k', model_id: 'm-7' }] },
    ],
    ['POST', `${api}/runs/log-inputs`, { run_id: 'r5', models: [{ model_id: 'm-7' }] }],
    ['POST', `${api}/runs/outputs`, { run_id: 'r5', models: [{ model_id: 'm-7', step: 1 }] }],
    ['POST', `${api}/logged-models`, { experiment_id: '5', source_run_id: 'r7' }],
    ['GET', '/ajax-api/2.0/mlflow/logged-models/m-7/artifacts/files?artifact_file_path=a'],
    ['GET', '/api/3.0/mlflow/traces/get?trace_id=tr-7'],
    ['GET', '/api/3.0/mlflow/traces/batchGet?trace_ids=tr-5&trace_ids=tr-7'],
    ['POST', '/api/3.0/mlflow/traces/batchGetInfos', { trace_ids: ['tr-5', 'tr-7'] }],
    ['GET', `/ajax-api/3.0/mlflow/get-trace-artifact?request_id=tr-7`],
    ['GET', '/api/3.0/mlflow/datasets/d-57/records'],
    ['POST', '/api/3.0/mlflow/datasets/d-5/add-experiments', { experiment_ids: ['7'] }],
    ['GET', `${api}/registered-models/get?name=theirs`],
    ['POST', `${api}/registered-models/rename`, { name: 'mine', new_name: 'theirs' }],
    ['GET', '/model-versions/get-artifact?name=theirs&version=1&path=MLmodel'],
    ['POST', '/graphql', { query: '{ mlflowGetRun(input: {runId: "r7"}) { run { info { runId } } } }' }],
    ['GET', `${api}/webhooks`],
    ['POST', '/ajax-api/3.0/jobs/', { job_name: 'x' }],
    ['POST', '/gateway/mlflow/v1/chat/completions', { model: 'x' }],
  ])('are refused in MLflow’s words: %s %s', async (method, path, body) => {
    const response = await house.send('bob', method, path, body);
    const { status, code, message } = await refusalOf(response);
    expect({ status, code }).toEqual({ status: 403, code: 'PERMISSION_DENIED' });
    expect(message).toMatch(/no role assignment grants it.*dec_/);
    expect(house.fake.forwarded).toEqual([]);
  });

  it('cannot be reached through a trace that is begun anew under its id', async () => {
    const trace = (id: string) => ({
      trace: {
        trace_info: {
          trace_id: id,
          trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '5' } },
        },
      },
    });
    expect((await house.send('bob', 'POST', '/api/3.0/mlflow/traces', trace('tr-new'))).status).toBe(200);
    expect((await house.send('bob', 'POST', '/api/3.0/mlflow/traces', trace('tr-7'))).status).toBe(403);
  });

  it('cannot be read on when the trace has moved to another experiment, or its id is used there again', async () => {
    const read = async () => (await house.send('bob', 'GET', '/api/3.0/mlflow/traces/tr-5')).status;
    expect(await read()).toBe(200);
    house.fake.traces.set('tr-5', '7');
    expect(await read()).toBe(403);
  });

  it.each([
    ['another experiment’s artifacts', { source: 'mlflow-artifacts:/7/r7/artifacts/model' }],
    ['with a host in it', { source: 'mlflow-artifacts://elsewhere/7/r7/artifacts/model' }],
    ['another run', { source: 'runs:/r7/model', run_id: 'r7' }],
    ['another run’s id beside an own source', { source: 'runs:/r5/model', run_id: 'r7' }],
    ['another logged model', { source: 'models:/m-77777777777777777777777777777777', model_id: 'm-7' }],
    ['another registered model', { source: 'models:/theirs/1' }],
    ['by its alias', { source: 'models:/theirs@champion' }],
    ['any bucket', { source: 's3://anything/at/all' }],
    ['the run’s bucket, and out of it', { source: 's3://bucket/5/r5/artifacts/../../../7/r7', run_id: 'r5' }],
    ['the disk of the server', { source: 'file:///etc' }],
  ])('cannot be made a version of one’s own model: %s', async (_, more) => {
    const response = await house.send('bob', 'POST', `${api}/model-versions/create`, {
      name: 'mine',
      ...more,
    });
    expect(await refusalOf(response)).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
    expect(house.fake.forwarded).toEqual([]);
  });

  it.each([
    { source: 'runs:/r5/model', run_id: 'r5' },
    { source: 's3://bucket/5/r5/artifacts/model', run_id: 'r5' },
    { source: 'mlflow-artifacts:/5/r5/artifacts/model', run_id: 'r5' },
    { source: 'models:/mine/1' },
    { source: 'dummy-source' },
  ])('but what is one’s own can: %o', async (more) => {
    const response = await house.send('bob', 'POST', `${api}/model-versions/create`, {
      name: 'mine',
      ...more,
    });
    expect(response.status).toBe(200);
  });

  it('cannot be reached through an experiment whose artifacts lie elsewhere', async () => {
    house.bobMay.push({ scope, actions: /experiments\/write$/ });
    const create = (artifact_location: string) =>
      house.send('bob', 'POST', `${api}/experiments/create`, { name: 'x', artifact_location });
    for (const location of ['mlflow-artifacts:/7', 's3://bucket/7', 'https://elsewhere/']) {
      expect(await refusalOf(await create(location))).toMatchObject({ status: 403 });
    }
    for (const location of ['/etc', 'file:///etc', 'FILE:/etc', 'relative']) {
      expect(await refusalOf(await create(location))).toMatchObject({ status: 400 });
    }
    expect((await house.send('bob', 'POST', `${api}/experiments/create`, { name: 'x' })).status).toBe(200);
  });
});

describe('a request that could be read in two ways, or asks too much at once', () => {
  it.each<[string, string, string, unknown?]>([
    ['two ids in one query', 'GET', `${api}/runs/get?run_id=r5&run_id=r7`],
    ['run_id against run_uuid', 'GET', `${api}/runs/get?run_id=r5&run_uuid=r7`],
    [
      'run_id against run_uuid in the body',
      'POST',
      `${api}/runs/log-metric`,
      { run_id: 'r5', run_uuid: 'r7' },
    ],
    ['a member that stands twice', 'POST', `${api}/runs/log-metric`, '{"run_id":"r5","run_id":"r7"}'],
    ['in another spelling of JSON', 'POST', `${api}/runs/log-metric`, '{"run_id":"r5","run_\\u0069d":"r7"}'],
    [
      'deep down',
      'POST',
      `${api}/runs/log-batch`,
      '{"run_id":"r5","tags":[{"key":"a","key":"mlflow.user"}]}',
    ],
    ['protobuf’s other spelling', 'POST', `${api}/runs/log-metric`, { runId: 'r7' }],
    ['beside the first', 'POST', `${api}/runs/log-metric`, { run_id: 'r5', runId: 'r7' }],
    ['body against query', 'POST', `${api}/runs/log-metric?run_id=r7`, { run_id: 'r5' }],
    ['JSON within JSON', 'POST', `${api}/runs/log-metric`, JSON.stringify(JSON.stringify({ run_id: 'r5' }))],
    [
      'another id in the body than in the path',
      'PATCH',
      `${api}/logged-models/m-5`,
      { model_id: 'm-7', status: 2 },
    ],
    ['in the query', 'GET', `${api}/logged-models/m-5?model_id=m-7`],
    ['of a trace', 'PATCH', `${api}/traces/tr-5/tags`, { request_id: 'tr-7', key: 'a', value: 'b' }],
    ['in a DELETE', 'DELETE', '/api/3.0/mlflow/datasets/d-5/records', { dataset_id: 'd-7' }],
    [
      'an item in protobuf’s other spelling',
      'POST',
      `${api}/runs/log-batch`,
      {
        run_id: 'r5',
        metrics: [{ key: 'k', modelId: 'm-7' }],
      },
    ],
    ['a number for an id', 'POST', `${api}/runs/create`, { experiment_id: 5 }],
    ['another writing of a number', 'GET', `${api}/experiments/get?experiment_id=05`],
    ['with a sign', 'GET', `${api}/experiments/get?experiment_id=%2B5`],
    ['with a space', 'GET', `${api}/experiments/get?experiment_id=%205`],
    ['with an underscore', 'GET', `${api}/experiments/get?experiment_id=5_0`],
    ['in other digits', 'GET', `${api}/experiments/get?experiment_id=%D9%A5`],
    ['an experiment’s id with a path in it', 'POST', `${api}/runs/create`, { experiment_id: '5/../7' }],
    ['what is not UTF-8', 'GET', `${api}/runs/get?run_id=r5%FF`],
    ['a name with space around it', 'GET', `${api}/registered-models/get?name=theirs%20`],
    [
      'a run in the locations of traces',
      'POST',
      '/api/3.0/mlflow/traces/search',
      {
        locations: [{ mlflow_experiment: { experiment_id: '5', experimentId: '7' } }],
      },
    ],
    [
      'a thousand and one experiments, each a record of its own',
      'POST',
      `${api}/runs/search`,
      { experiment_ids: Array.from({ length: 1001 }, (_, i) => String(i)) },
    ],
    ['a body of a million brackets', 'POST', `${api}/runs/search`, `{"a":[${'[],'.repeat(1_000_000)}[]]}`],
    [
      'a model behind a host',
      'POST',
      `${api}/model-versions/create`,
      { name: 'mine', source: `models://mine/m-${'0'.repeat(32)}` },
    ],
    [
      'a run behind a host',
      'POST',
      `${api}/model-versions/create`,
      { name: 'mine', source: 'Runs://r5/r7/model' },
    ],
    ['a path that leads out', 'GET', '/api/2.0/mlflow-artifacts/artifacts?path=5/../7'],
    ['one that is encoded twice', 'GET', '/get-artifact?run_id=r5&path=%252e%252e/x'],
    ['one with a backslash', 'GET', '/get-artifact?run_id=r5&path=..%5Cx'],
    ['an absolute one', 'GET', `${api}/artifacts/list?run_id=r5&path=/etc`],
    ['an id with a path in it', 'GET', `${api}/logged-models/m-5;x`],
  ])('is refused, whoever asks: %s', async (_, method, path, body) => {
    const { status, code } = await refusalOf(await house.send('alice', method, path, body));
    expect({ status, code }).toEqual({ status: 400, code: 'INVALID_PARAMETER_VALUE' });
    expect(house.fake.forwarded).toEqual([]);
  });

  it.each([
    [{ run_id: 31 }, "Invalid value 31 for parameter 'run_id' supplied"],
    [{ run_id: true }, "Invalid value true for parameter 'run_id' supplied"],
    [{ run_id: ['of the caller’s'] }, "Invalid value for parameter 'run_id' supplied"],
  ])('says of a value of another kind what MLflow says: %j', async (body, said) => {
    const answer = await house.send('alice', 'POST', `${api}/runs/set-tag`, {
      key: 'k',
      value: 'v',
      ...body,
    });
    const { status, code, message } = await refusalOf(answer);
    expect({ status, code }).toEqual({ status: 400, code: 'INVALID_PARAMETER_VALUE' });
    expect(message).toContain(said);
    expect(message).not.toContain('of the caller');
  });

  it.each([
    '/api/2.0/mlflow-artifacts/artifacts/5/../7/a',
    '/api/2.0/mlflow-artifacts/artifacts/5/%2e%2e/7/a',
    '/api/2.0/mlflow-artifacts/artifacts/5%2f..%2f7/a',
    '/api/2.0/mlflow-artifacts/artifacts/5/%252e%252e/7/a',
    '/api/2.0/mlflow-artifacts/artifacts/5//7',
    `${api}//runs/get?run_id=r5`,
  ])('a path that is not in its one normal form is refused at the door: %s', async (path) => {
    const answer = await house.gateway.raw(
      `GET /connections/mlflow${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(house.fake.seen).toEqual([]);
  });

  it('a GET with a body is refused: MLflow would read it where there is no query', async () => {
    const answer = await house.gateway.raw(
      `GET /connections/mlflow${api}/runs/get HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice\r\n` +
        'Content-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"run_id":"r7"}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(house.fake.forwarded).toEqual([]);
  });

  it.each([
    ['meta.yaml', '5/r7/meta.yaml'],
    ['a tag', '5/r5/tags/mlflow.user'],
    ['a tag, past a folder called artifacts', '5/r5/tags/artifacts/x'],
    ['another place', 'artifacts/x'],
  ])('an artifact is not written over what a server may keep beside it: %s', async (_, path) => {
    const response = await house.send('alice', 'PUT', `/api/2.0/mlflow-artifacts/artifacts/${path}`, 'x');
    expect(response.status).toBe(400);
    expect(house.fake.forwarded).toEqual([]);
  });
});

describe('a route that is not described', () => {
  it.each([
    ['GET', '/api/2.0/mlflow/users/list'],
    ['POST', '/api/2.0/mlflow/users/create'],
    ['POST', '/signup'],
    ['PUT', `${api}/runs/get`],
    ['GET', `${api}/runs/get/`],
    ['GET', `${api}/runs/GET`],
    ['GET', `/API/2.0/mlflow/runs/get`],
    ['GET', `/api/2.0/preview/mlflow/runs/get`],
    ['DELETE', '/graphql'],
    ['OPTIONS', `${api}/runs/get`],
    ['HEAD', `${api}/experiments/search`],
  ])('is no endpoint: %s %s', async (method, path) => {
    const response = await house.send('alice', method, path);
    expect(response.status).toBe(404);
    if (method !== 'HEAD') expect(await refusalOf(response)).toMatchObject({ code: 'ENDPOINT_NOT_FOUND' });
    expect(house.fake.seen).toEqual([]);
  });

  it('is known and told apart where it is refused on purpose', async () => {
    for (const { method, path, why } of deniedRoutes) {
      const response = await house.send('alice', method, path.replace('*', 'x'));
      expect(await refusalOf(response)).toMatchObject({
        status: 403,
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining(why) as string,
      });
    }
    expect(house.fake.seen).toEqual([]);
  });

  it('stands in one of the two lists only, and no row twice', () => {
    for (const { method, path } of mlflowRoutes) {
      expect(deniedRoute(method, path.replace(/:\w+|\*/g, 'x'))).toBeNull();
    }
    for (const { method, path } of deniedRoutes) {
      expect(findMlflowRoute(method, path.replace('*', 'x'))).toBeNull();
    }
  });

  it('is not reached by a method in a header', async () => {
    const override = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' };
    await house.send('alice', 'GET', `${api}/logged-models/m-5`, undefined, override);
    expect(house.fake.forwarded.at(-1)?.method).toBe('GET');
    expect(JSON.stringify(house.fake.forwarded)).not.toContain('override');
  });
});

describe('a failure', () => {
  it('of who is not signed in is JSON, never a page or a way to sign in', async () => {
    for (const path of ['/', `${api}/runs/get?run_id=r5`, '/no/such']) {
      const response = await house.send(null, 'GET', path, undefined, { accept: 'text/html' });
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(response.headers.get('location')).toBeNull();
      if (path !== '/no/such') {
        expect(await refusalOf(response)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
      }
    }
    expect(house.fake.seen).toEqual([]);
  });

  it('of the server is passed on byte for byte', async () => {
    const text = '{ "error_code":"RESOURCE_ALREADY_EXISTS",  "message":"twice" }';
    house.fake.instead = (_, response) => {
      response.writeHead(400, { 'content-type': 'application/json' }).end(text);
      return true;
    };
    const response = await house.send('alice', 'POST', `${api}/experiments/create`, { name: 'x' });
    expect(response.status).toBe(400);
    expect(await response.text()).toBe(text);
  });
});

describe('workspaces', () => {
  const header = { 'x-mlflow-workspace': 'other' };

  it('are not chosen by the caller where the connection has none', async () => {
    const response = await house.send('alice', 'GET', `${api}/runs/get?run_id=r5`, undefined, header);
    expect(await refusalOf(response)).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
    expect(house.fake.forwarded).toEqual([]);
  });

  it('are the connection’s own, whatever the caller sends, and in every spelling', async () => {
    await reopen({ workspace: 'birds' });
    const run = `${api}/runs/get?run_id=r5`;
    const mine = { 'x-mlflow-workspace': 'birds' };
    expect((await house.send('alice', 'GET', run, undefined, mine)).status).toBe(200);
    expect((await house.send('alice', 'GET', run)).status).toBe(200);
    for (const spelling of ['x-mlflow-workspace', 'X_MLFLOW_WORKSPACE', 'x-mlflow_workspace']) {
      expect((await house.send('alice', 'GET', run, undefined, { [spelling]: 'other' })).status).toBe(403);
    }
    const answer = await house.gateway.raw(
      `GET /connections/mlflow${run} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice\r\n` +
        'Connection: close, x-mlflow-workspace\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(house.fake.seen.length).toBeGreaterThan(3);
    for (const { headers } of house.fake.seen) expect(headers['x-mlflow-workspace']).toBe('birds');
  });
});

it('large artifacts stream both ways without being held', async () => {
  const size = 8_388_608;
  house.fake.instead = (seen, response) => {
    if (seen.method !== 'GET') return false;
    response.writeHead(200, { 'content-length': String(size) }).end(Buffer.alloc(size));
    return true;
  };
  const path = '/api/2.0/mlflow-artifacts/artifacts/5/r5/artifacts/big.bin';
  const put = await house.send('bob', 'PUT', path, 'x'.repeat(size));
  expect(put.status).toBe(200);
  expect(house.fake.forwarded.at(-1)?.body.length).toBe(size);
  const got = await house.send('bob', 'GET', path);
  expect((await got.arrayBuffer()).byteLength).toBe(size);
});

it('answers on a host of its own too', async () => {
  const answer = await house.gateway.raw(
    `GET ${api}/runs/get?run_id=r5 HTTP/1.1\r\nHost: mlflow.localhost\r\nAuthorization: Bearer bob\r\nConnection: close\r\n\r\n`,
    5000,
    'mlflow.localhost',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(json.parse(JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? ''))).toHaveProperty('run');
});
