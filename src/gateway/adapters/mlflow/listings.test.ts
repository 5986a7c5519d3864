import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MlflowHouse, refusalOf, scope } from './testing/house.ts';

let house: MlflowHouse;
beforeEach(async () => {
  house = await MlflowHouse.open();
  for (let id = 0; id < 20; id += 1) house.fake.experiments.set(`e${id}`, String(id));
  house.fake.datasets.set('d-5', ['5']).set('d-57', ['5', '7']).set('d-none', []).set('d-6', ['6']);
  house.fake.models = ['mine', 'theirs', 'Mine', 'more'];
});
afterEach(() => house.close());

const api = '/api/2.0/mlflow';
const page = z.object({
  experiments: z.array(z.object({ experiment_id: z.string() })).default([]),
  next_page_token: z.string().optional(),
});

function bobSees(...places: string[]): void {
  house.bobMay = places.map((at) => ({ scope: `${scope}/${at}`, actions: /read$/ }));
}

async function search(
  who: 'alice' | 'bob',
  asked: Readonly<Record<string, string | number>>,
  method = 'POST',
) {
  const query = new URLSearchParams(
    Object.entries(asked).map(([k, v]): [string, string] => [k, String(v)]),
  ).toString();
  const path = `${api}/experiments/search`;
  const response = await (method === 'POST'
    ? house.send(who, 'POST', path, asked)
    : house.send(who, 'GET', `${path}?${query}`));
  expect(response.status).toBe(200);
  const { experiments, next_page_token: token } = page.parse(await response.json());
  return { ids: experiments.map((one) => one.experiment_id), token: token ?? null };
}

describe('a search for experiments', () => {
  it.each(['POST', 'GET'])('shows by %s what the caller may see, and nothing of the rest', async (method) => {
    bobSees('experiments/5', 'experiments/7', 'experiments/50');
    expect(await search('bob', { max_results: 100 }, method)).toEqual({ ids: ['5', '7'], token: null });
  });

  it('shows nothing to who may see nothing', async () => {
    const response = await house.send('bob', 'POST', `${api}/experiments/search`, {});
    expect(await response.text()).toBe('{}');
  });

  it('leaves out what is forbidden to who may see all else', async () => {
    house.forbidden = [`${scope}/experiments/3`];
    const { ids } = await search('alice', { max_results: 100 });
    expect(ids).toHaveLength(19);
    expect(ids).not.toContain('3');
  });

  it.each(['[', '[{"experiment_id":"7"},', '[ '])(
    'keeps what is shown as it was written, and nothing else, behind %s',
    async (before) => {
      bobSees('experiments/5');
      const shown = '{ "experiment_id":"5","n":9007199254740993,"s":"\\u00e9 ]},\\"" }';
      house.fake.instead = (_, response) => {
        response.writeHead(200).end(`{ "experiments":${before}${shown}],"total":2}`);
        return true;
      };
      const response = await house.send('bob', 'POST', `${api}/experiments/search`, {});
      expect(await response.text()).toBe(`{"experiments":[${shown}]}`);
    },
  );

  it.each(['POST', 'GET'])(
    'fills its pages, and shows each thing once over all of them, by %s',
    async (method) => {
      bobSees('experiments/1', 'experiments/4', 'experiments/5', 'experiments/12', 'experiments/19');
      const pages: string[][] = [];
      let token: string | null = null;
      do {
        const asked: Record<string, string | number> = {
          max_results: 2,
          ...(token === null ? {} : { page_token: token }),
        };
        const answer = await search('bob', asked, method);
        pages.push(answer.ids);
        token = answer.token;
      } while (token !== null);
      expect(pages).toEqual([['1', '4'], ['5', '12'], ['19']]);
    },
  );

  it('stops looking after ten thousand that are hidden, and says where to go on', async () => {
    house.fake.instead = ({ body }, response) => {
      const { max_results: count, page_token: token = '0' } = z
        .object({ max_results: z.number(), page_token: z.string().optional() })
        .parse(JSON.parse(body));
      const experiments = Array.from({ length: count }, (_, i) => ({
        experiment_id: `9${Number(token) + i}`,
      }));
      const next = String(Number(token) + count);
      response.writeHead(200).end(JSON.stringify({ experiments, next_page_token: next }));
      return true;
    };
    const first = await search('bob', { max_results: 1 });
    expect(first.ids).toEqual([]);
    expect(house.fake.forwarded).toHaveLength(10);
    await search('bob', { max_results: 1, page_token: first.token ?? '' });
    expect(house.fake.forwarded[10]?.body).toBe('{"max_results":2,"page_token":"9002"}');
  });

  it('is recorded in one entry for each page that was looked at, not in one for each thing', async () => {
    bobSees('experiments/5');
    await search('bob', { max_results: 100 });
    const listed = house.gateway.facts.filter((fact) => fact.kind === 'request.listed');
    expect(listed).toHaveLength(1);
    expect(listed[0]).toMatchObject({ shown: [`${scope}/experiments/5`] });
  });

  it('is recorded with what it showed, and not with what is behind that', async () => {
    bobSees('experiments/5', 'experiments/7', 'experiments/9');
    await search('bob', { max_results: 1 });
    const shown = house.gateway.facts.flatMap((fact) => (fact.kind === 'request.listed' ? fact.shown : []));
    expect(shown).toEqual([`${scope}/experiments/5`]);
  });

  it('fails as the server fails, in the midst of it too', async () => {
    bobSees('experiments/19');
    let answers = 0;
    house.fake.instead = (_, response) => {
      answers += 1;
      if (answers < 2) return false;
      response
        .writeHead(500, { 'content-type': 'application/json' })
        .end('{"error_code":"INTERNAL_ERROR","message":"x"}');
      return true;
    };
    const response = await house.send('bob', 'POST', `${api}/experiments/search`, { max_results: 1 });
    expect(await refusalOf(response)).toMatchObject({ status: 500, code: 'INTERNAL_ERROR' });
  });

  it('is not for who is not signed in', async () => {
    const response = await house.send(null, 'POST', `${api}/experiments/search`, {});
    expect(response.status).toBe(401);
    expect(house.fake.seen).toEqual([]);
  });

  it('does not show what it cannot tell the place of', async () => {
    house.fake.instead = (_, response) => {
      response.writeHead(200).end('{"experiments":[{"experiment_id":"5/../7"}]}');
      return true;
    };
    const response = await house.send('alice', 'POST', `${api}/experiments/search`, {});
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(await response.text()).not.toContain('experiments/5');
  });
});

it.each<[string, string]>([
  ['registered-models', 'registered_models'],
  ['model-versions', 'model_versions'],
])('a search for %s shows names with their case, each to who may read it', async (path, member) => {
  bobSees('models/%4dine', 'models/more');
  const response = await house.send('bob', 'GET', `${api}/${path}/search?max_results=10`);
  const items = z.record(z.string(), z.array(z.object({ name: z.string() }))).parse(await response.json());
  expect(items[member]?.map(({ name }) => name)).toEqual(['Mine', 'more']);
});

it('a dataset is shown to who may read it in all its experiments', async () => {
  bobSees('experiments/5', 'experiments/6');
  const response = await house.send('bob', 'POST', '/api/3.0/mlflow/datasets/search', { max_results: 10 });
  const { datasets } = z
    .object({ datasets: z.array(z.looseObject({ dataset_id: z.string() })) })
    .parse(await response.json());
  expect(datasets.map((one) => one.dataset_id)).toEqual(['d-5', 'd-6']);
});

it('an experiment whose name changed hands meanwhile is decided on as it is in the answer', async () => {
  bobSees('experiments/5');
  house.fake.instead = ({ headers }, response) => {
    const id = headers['x-lockstep-assertion'] === undefined ? '5' : '7';
    response.writeHead(200).end(JSON.stringify({ experiment: { experiment_id: id } }));
    return true;
  };
  const response = await house.send('bob', 'GET', `${api}/experiments/get-by-name?experiment_name=x`);
  expect(await refusalOf(response)).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
});
