import { parse } from 'graphql/language';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MlflowHouse, refusalOf, scope } from './testing/house.ts';

let house: MlflowHouse;
beforeEach(async () => {
  house = await MlflowHouse.open();
  house.fake.runs.set('r5', '5').set('r7', '7');
  // Bob is a data scientist of experiment 5 and of the model `mine`.
  house.bobMay = [
    { scope: `${scope}/experiments/5`, actions: /./ },
    { scope: `${scope}/models/mine`, actions: /./ },
  ];
});
afterEach(() => house.close());

const ask = (who: 'alice' | 'bob', query: string, variables?: unknown, more: object = {}) =>
  house.send(who, 'POST', '/graphql', { query, ...(variables === undefined ? {} : { variables }), ...more });

/** As MLflow's page asks for a run, Apollo's `__typename` included. */
const pageQuery = `query GetRun($data: MlflowGetRunInput!) @component(name: "MLflow.ExperimentRunTracking") {
  mlflowGetRun(input: $data) { __typename apiError { code message } run {
    __typename info { runName runUuid experimentId } experiment { experimentId name }
    modelVersions { status version name source __typename } data { metrics { key value } } } } }`;

const sent = z.object({ query: z.string(), variables: z.unknown() });
const forwarded = () =>
  house.fake.forwarded.map(({ body }) => sent.partial({ variables: true }).parse(JSON.parse(body)));

describe('where a query is decided', () => {
  it.each<[string, string, unknown, string[]]>([
    [
      'an experiment',
      'query($input: MlflowGetExperimentInput!) { mlflowGetExperiment(input: $input) { experiment { name } } }',
      { input: { experimentId: '5' } },
      ['experiments/read @ experiments/5'],
    ],
    [
      'a run, as the page asks for it',
      pageQuery,
      { data: { runId: 'r5' } },
      ['experiments/read @ experiments/5', 'experiments/runs/read @ experiments/5'],
    ],
    [
      'a run by its older name, written out',
      '{ mlflowGetRun(input: {runUuid: "r7"}) { run { info { runId } } } }',
      undefined,
      ['experiments/read @ experiments/7', 'experiments/runs/read @ experiments/7'],
    ],
    [
      'runs of several experiments',
      'query($i: MlflowSearchRunsInput) { mlflowSearchRuns(input: $i) { runs { info { runId } } } }',
      { i: { experimentIds: ['5', '7'], filter: '' } },
      [
        'experiments/read @ experiments/5',
        'experiments/read @ experiments/7',
        'experiments/runs/read @ experiments/5',
        'experiments/runs/read @ experiments/7',
      ],
    ],
    [
      'one experiment in place of a list, as GraphQL takes it',
      'mutation { mlflowSearchRuns(input: {experimentIds: "7"}) { runs { info { runId } } } }',
      undefined,
      ['experiments/read @ experiments/7', 'experiments/runs/read @ experiments/7'],
    ],
    [
      'runs of all experiments',
      '{ mlflowSearchRuns(input: {filter: "x"}) { runs { info { runId } } } }',
      undefined,
      ['experiments/read @ .', 'experiments/runs/read @ .'],
    ],
    [
      'a list of artifacts',
      '{ mlflowListArtifacts(input: {runId: "r7", path: "a/b"}) { files { path } } }',
      undefined,
      ['experiments/read @ experiments/7', 'metadata/artifacts/read @ experiments/7'],
    ],
    [
      'metrics of several runs',
      'query($d: In) { mlflowGetMetricHistoryBulkInterval(input: $d) { metrics { key } } }',
      { d: { runIds: ['r5', 'r7', 'r5'], metricKey: 'm' } },
      [
        'experiments/read @ experiments/5',
        'experiments/read @ experiments/7',
        'experiments/runs/read @ experiments/5',
        'experiments/runs/read @ experiments/7',
      ],
    ],
    [
      'versions of models',
      '{ mlflowSearchModelVersions(input: {filter: ""}) { modelVersions { name } } }',
      undefined,
      ['experiments/read @ .', 'models/versions/read @ .'],
    ],
    ['nothing', '{ __typename }', undefined, ['experiments/read @ .']],
    [
      'several at once, under other names',
      '{ a: mlflowGetExperiment(input: {experimentId: "5"}) { experiment { name } } b: mlflowGetRun(input: {runId: "r7"}) { run { info { runId } } } }',
      undefined,
      [
        'experiments/read @ experiments/5',
        'experiments/read @ experiments/7',
        'experiments/runs/read @ experiments/7',
      ],
    ],
  ])('%s', async (_what, query, variables, expected) => {
    expect((await ask('alice', query, variables)).status).toBe(200);
    expect(house.decided()).toEqual(expected);
  });

  it('serves the page of a run to who may read its experiment alone, and of no other', async () => {
    expect((await ask('bob', pageQuery, { data: { runId: 'r5' } })).status).toBe(200);
    expect(house.fake.forwarded).toHaveLength(1);
    const refused = await ask('bob', pageQuery, { data: { runId: 'r7' } });
    expect(await refusalOf(refused)).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
    expect(house.fake.forwarded).toHaveLength(1);
  });
});

describe('a query that could be read in two ways, or hides what it asks', () => {
  const run = 'mlflowGetRun(input: {runId: "r7"}) { run { info { runId } } }';
  it.each<[string, string, unknown?]>([
    ['a fragment', `query { ...f } fragment f on Query { ${run} }`],
    ['an inline fragment', `{ ... on Query { ${run} } }`],
    [
      'a fragment beneath',
      '{ mlflowGetRun(input: {runId: "r5"}) { ...f } } fragment f on X { run { modelVersions { name } } }',
    ],
    ['two operations', `query a { __typename } query b { ${run} }`],
    ['a subscription', `subscription { ${run} }`],
    ['a default', `query($d: In = {runId: "r7"}) { mlflowGetRun(input: $d) { run { info { runId } } } }`, {}],
    ['a directive', `query($x: Boolean!) { ${run.replace('{ run', '@skip(if: $x) { run')} }`, { x: true }],
    [
      'both names of a run',
      '{ mlflowGetRun(input: {runId: "r5", runUuid: "r7"}) { run { info { runId } } } }',
    ],
    ['a member twice', '{ mlflowGetRun(input: {runId: "r5", runId: "r7"}) { run { info { runId } } } }'],
    [
      'two arguments',
      '{ mlflowGetRun(input: {runId: "r5"}, input: {runId: "r7"}) { run { info { runId } } } }',
    ],
    ['another argument', '{ mlflowGetRun(run: {runId: "r5"}) { run { info { runId } } } }'],
    ['a number for an id', '{ mlflowGetExperiment(input: {experimentId: 7}) { experiment { name } } }'],
    [
      'another spelling of a number',
      '{ mlflowGetExperiment(input: {experimentId: "07"}) { experiment { name } } }',
    ],
    ['what is not described', '{ mlflowDeleteEverything(input: {}) { ok } }'],
    ['a member of Object', '{ constructor(input: {}) { ok } }'],
    ['the schema', '{ __schema { types { name } } }'],
    ['the schema beneath', '{ mlflowGetRun(input: {runId: "r5"}) { __type(name: "x") { name } } }'],
    [
      'our own name',
      '{ mlflowGetRun(input: {runId: "r5"}) { run { modelVersions { lockstepName: source } } } }',
    ],
    [
      'a path that leads away',
      '{ mlflowListArtifacts(input: {runId: "r5", path: "../../7"}) { files { path } } }',
    ],
    ['no GraphQL', '{ mlflowGetRun('],
    ['very many tokens', `{ ${'__typename '.repeat(3_000)} }`],
    ['very many questions', `{ ${Array.from({ length: 21 }, (_, i) => `a${i}: ${run}`).join(' ')} }`],
    [
      'a list for an input',
      'query($d: In) { mlflowGetRun(input: $d) { run { info { runId } } } }',
      { d: [{ runId: 'r7' }] },
    ],
  ])('is refused: %s', async (_what, query, variables) => {
    const response = await ask('alice', query, variables);
    expect(await refusalOf(response)).toMatchObject({ status: 400 });
    expect(house.fake.forwarded).toEqual([]);
    expect((await ask('bob', query, variables)).status).toBe(403);
  });

  it.each([
    ['a member of the body twice', '{"query":"{ __typename }","query":"{ __typename }"}'],
    ['a variable twice', '{"query":"{ __typename }","variables":{"d":{"runId":"r5"},"d":{"runId":"r7"}}}'],
    ['a batch', '[{"query":"{ __typename }"}]'],
    ['no query', '{}'],
    [
      'brackets without end',
      `{"query":"{ __typename }","variables":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
    ],
  ])('is refused: %s', async (_what, body) => {
    expect((await house.send('alice', 'POST', '/graphql', body)).status).toBe(400);
    expect(house.fake.forwarded).toEqual([]);
  });

  it('reaches the server in the one way in which it was read', async () => {
    const body =
      '{"operationName":"Other","extensions":{"x":1},"variables":{"data":{"runId":"r5","n":12345678901234567890}},' +
      `"query":${JSON.stringify(`# a comment\n${pageQuery}`)}}`;
    expect((await house.send('alice', 'POST', '/graphql', body)).status).toBe(200);
    const [seen] = house.fake.forwarded;
    expect(seen?.body).toContain('12345678901234567890');
    expect(Object.keys(JSON.parse(seen?.body ?? '{}') as object)).toEqual(['query', 'variables']);
    const [one] = forwarded();
    expect(one?.query).not.toContain('#');
    expect(() => parse(one?.query ?? '')).not.toThrow();
    expect((await house.send('alice', 'POST', '/graphql?query=x', { query: '{ __typename }' })).status).toBe(
      400,
    );
  });
});

describe('versions of models in an answer', () => {
  const version = (name: string) => ({ version: '1', name, lockstepName: name });
  const answers = (data: unknown) => {
    house.fake.instead = ({ url }, response) => {
      if (!url.startsWith('/graphql')) return false;
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ data, errors: null }));
      return true;
    };
  };

  it('are those that the caller may read, and nobody sees by what they were told', async () => {
    answers({
      mlflowGetRun: {
        run: { info: { runId: 'r5' }, modelVersions: [version('theirs'), version('mine'), { version: '2' }] },
      },
    });
    const query =
      '{ mlflowGetRun(input: {runId: "r5"}) { run { info { runId } modelVersions { version name } } } }';
    const told = (who: 'alice' | 'bob') => ask(who, query).then(async (response) => response.json());
    expect(await told('bob')).toEqual({
      data: {
        mlflowGetRun: { run: { info: { runId: 'r5' }, modelVersions: [{ version: '1', name: 'mine' }] } },
      },
      errors: null,
    });
    expect(await told('alice')).toMatchObject({
      data: { mlflowGetRun: { run: { modelVersions: [{ name: 'theirs' }, { name: 'mine' }] } } },
    });
    expect(forwarded()[0]?.query).toMatch(/modelVersions \{[^}]*lockstepName: name/);
  });

  it('are found under any name, in lists, and where the query does not ask what they are called', async () => {
    answers({
      x: {
        runs: [
          { mv: [{ s: 'a', lockstepName: 'theirs' }], more: [{ version: '1', lockstepName: 'mine' }] },
          { mv: null, more: [] },
          null,
        ],
      },
    });
    const query =
      '{ x: mlflowSearchRuns(input: {experimentIds: ["5"]}) { runs { mv: modelVersions { s: status } more: modelVersions { version } } } }';
    expect(await (await ask('bob', query)).json()).toEqual({
      data: { x: { runs: [{ mv: [], more: [{ version: '1' }] }, { mv: null, more: [] }, null] } },
      errors: null,
    });
  });

  it('that cannot be looked through are not passed on', async () => {
    house.fake.instead = ({ url }, response) => {
      if (!url.startsWith('/graphql')) return false;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":{"a":Infinity}}');
      return true;
    };
    const query = (fields: string) => `{ mlflowGetRun(input: {runId: "r5"}) { run { ${fields} } } }`;
    expect((await ask('bob', query('modelVersions { name }'))).status).toBe(502);
    // Without any, the answer is MLflow's own, byte for byte.
    expect(await (await ask('bob', query('data { metrics { value } }'))).text()).toBe(
      '{"data":{"a":Infinity}}',
    );
  });
});
