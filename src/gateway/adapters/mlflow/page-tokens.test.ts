import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { graphqlAnswer } from './graphql.ts';
import { verifiedExperiment } from './listings.ts';
import { mlflowRoutes } from './routes.ts';
import { MlflowHouse, refusalOf, scope } from './testing/house.ts';

// What a search tells of what the caller may not see: nothing, and its pages lead on all the same.

let house: MlflowHouse;
beforeEach(async () => {
  house = await MlflowHouse.open();
});
afterEach(() => house.close());

type Asked = Readonly<Record<string, string | number>>;

interface List {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** What the server holds, in its order; Bob may read those that are called `own…`. */
  hold(names: readonly string[]): void;
}

function holdExperiments(names: readonly string[]): void {
  house.fake.experiments.clear();
  for (const name of names) house.fake.experiments.set(name, numberOf(name));
  house.bobMay = placesOf(names.filter(isOwn).map((name) => `experiments/${numberOf(name)}`));
}

function holdModels(names: readonly string[]): void {
  house.fake.models = names;
  house.bobMay = placesOf(names.filter(isOwn).map((name) => `models/${name}`));
}

function holdDatasets(names: readonly string[]): void {
  house.fake.datasets.clear();
  for (const name of names) house.fake.datasets.set(name, [numberOf(name), numberOf(`${name}-too`)]);
  house.bobMay = placesOf(
    names
      .filter(isOwn)
      .flatMap((name) => [numberOf(name), numberOf(`${name}-too`)].map((id) => `experiments/${id}`)),
  );
}

const isOwn = (name: string): boolean => name.startsWith('own');
const numbers = new Map<string, string>();
const numberOf = (name: string): string => {
  if (!numbers.has(name)) numbers.set(name, String(numbers.size + 1));
  return numbers.get(name) ?? '';
};
const placesOf = (places: readonly string[]) =>
  places.map((at) => ({ scope: `${scope}/${at}`, actions: /read$/ }));

const lists: readonly List[] = [
  { method: 'GET', path: '/api/2.0/mlflow/experiments/search', hold: holdExperiments },
  { method: 'POST', path: '/api/2.0/mlflow/experiments/search', hold: holdExperiments },
  { method: 'GET', path: '/ajax-api/2.0/mlflow/registered-models/search', hold: holdModels },
  { method: 'GET', path: '/api/2.0/mlflow/model-versions/search', hold: holdModels },
  { method: 'GET', path: '/api/3.0/mlflow/datasets/search', hold: holdDatasets },
  { method: 'POST', path: '/api/3.0/mlflow/datasets/search', hold: holdDatasets },
];

async function ask(
  { method, path }: Pick<List, 'method' | 'path'>,
  asked: Asked,
  who: 'alice' | 'bob' = 'bob',
) {
  const query = new URLSearchParams(Object.entries(asked).map(([k, v]): [string, string] => [k, String(v)]));
  return method === 'GET'
    ? house.send(who, 'GET', `${path}?${query.toString()}`)
    : house.send(who, 'POST', path, asked);
}

const answer = z.object({ next_page_token: z.string().optional() });

/** The answer without the token, byte for byte, and the token. */
async function page(list: List, asked: Asked, who: 'alice' | 'bob' = 'bob') {
  const response = await ask(list, asked, who);
  expect(response.status).toBe(200);
  const text = await response.text();
  const { next_page_token: token = '' } = answer.parse(JSON.parse(text));
  return { rest: token === '' ? text : text.replace(token, ''), token };
}

async function pages(list: List, asked: Asked) {
  const all = [];
  for (let token = ''; ;) {
    const one = await page(list, token === '' ? asked : { ...asked, page_token: token });
    all.push(one.rest);
    token = one.token;
    if (token === '') return all;
  }
}

const hidden = (count: number, name = 'secret'): string[] =>
  Array.from({ length: count }, (_, i) => `${name}-${i}`);

it('every list of which parts are hidden is among these', () => {
  const spelt = ({ method, path }: { readonly method: string; readonly path: string }): string =>
    `${method} ${path.replace(/^\/(ajax-)?api/, '')}`;
  const whole: unknown[] = [graphqlAnswer, verifiedExperiment];
  const routes = mlflowRoutes.filter(({ listing }) => listing !== undefined && !whole.includes(listing));
  expect(new Set(routes.map(spelt))).toEqual(new Set(lists.map(spelt)));
});

describe.each(lists)('$method $path', (list) => {
  it.each([
    ['ahead of', [...hidden(30), 'own-1', 'own-2', 'own-3']],
    ['among', ['own-1', ...hidden(2, 'a'), 'own-2', ...hidden(1500, 'b'), 'own-3']],
    ['behind', ['own-1', 'own-2', 'own-3', ...hidden(30)]],
  ])('has the pages that it has without what is hidden %s what is shown', async (_, names) => {
    list.hold(names.filter(isOwn));
    const alone = await pages(list, { max_results: 1, filter: 'x' });
    expect(alone).toHaveLength(3);
    list.hold(names);
    expect(await pages(list, { max_results: 1, filter: 'x' })).toEqual(alone);
  });

  it('has tokens of one length, in which nothing can be read, for who may see all too', async () => {
    const tokens = [];
    for (const before of [0, 3, 200]) {
      list.hold([...hidden(before), 'own-1', 'own-2', 'own-3']);
      for (const who of ['alice', 'bob'] as const) tokens.push(await page(list, { max_results: 1 }, who));
    }
    expect(new Set(tokens.map(({ token }) => token.length)).size).toBe(1);
    for (const { token } of tokens)
      expect(Buffer.from(token, 'base64').toString('latin1')).not.toContain('offset');
  });

  it('goes on with a page of another size', async () => {
    list.hold(['own-1', ...hidden(1100), 'own-2', 'own-3', 'own-4']);
    const first = await page(list, { max_results: 2 });
    const second = await page(list, { max_results: 50, page_token: first.token });
    list.hold(['own-3', 'own-4']);
    expect(second).toEqual(await page(list, { max_results: 50 }));
  });

  it('takes a token from none but who asks the same again', async () => {
    list.hold([...hidden(3), 'own-1', 'own-2', 'own-3']);
    const asked = { max_results: 1, filter: 'a' };
    const { token } = await page(list, asked);
    const others: readonly (readonly [Asked, 'alice' | 'bob', Pick<List, 'method' | 'path'>])[] = [
      [{ ...asked, page_token: token }, 'alice', list],
      [{ ...asked, filter: 'b', page_token: token }, 'bob', list],
      [{ max_results: 1, page_token: token }, 'bob', list],
      [{ ...asked, order_by: 'name', page_token: token }, 'bob', list],
      ...lists
        .filter((other) => other !== list)
        .map((other) => [{ ...asked, page_token: token }, 'bob', other] as const),
      [{ ...asked, page_token: `${token.slice(0, -2)}AA` }, 'bob', list],
      // MLflow's own, of which each would be an answer to how many are hidden.
      [{ ...asked, page_token: Buffer.from('{"offset": 3}').toString('base64') }, 'bob', list],
      [{ ...asked, page_token: '3' }, 'alice', list],
    ];
    const before = house.fake.seen.length;
    for (const [what, who, where] of others) {
      expect(await refusalOf(await ask(where, what, who))).toMatchObject({
        status: 400,
        code: 'INVALID_PARAMETER_VALUE',
        message: 'Invalid page token, could not base64-decode',
      });
    }
    expect(house.fake.seen).toHaveLength(before);
    expect((await page(list, { filter: 'a', max_results: 5, page_token: token })).rest).toContain('own-2');
  });
});

it.each(['0', '-1', '1e3', '60000'])(
  'a number of results that is not one, as %s, is for the server to refuse',
  async (count) => {
    await ask({ method: 'GET', path: '/api/2.0/mlflow/experiments/search' }, { max_results: count });
    expect(house.fake.forwarded[0]?.url).toContain(`max_results=${count}`);
  },
);

it.each(['GET', 'POST'] as const)(
  'no number of results is for the server to fill in, by %s',
  async (method) => {
    const list = { method, path: '/api/2.0/mlflow/experiments/search', hold: holdExperiments };
    // The server gives three.
    list.hold(['own-1', 'own-2', ...hidden(5), 'own-3']);
    expect((await page(list, {})).rest.match(/own-\d/g)).toEqual(['own-1', 'own-2', 'own-3']);
    const [first, second] = house.fake.forwarded;
    expect(`${first?.url} ${first?.body}`).not.toContain('max_results');
    expect(`${second?.url} ${second?.body}`).toContain('max_results');
  },
);

it('a search goes on as it was written, but for the page', async () => {
  holdExperiments(['own-1', 'own-2']);
  const body = '{"view_type": 9007199254740993,"max_results":1,"filter":"\\u00e9"}';
  await house.send('bob', 'POST', '/api/2.0/mlflow/experiments/search', body);
  expect(house.fake.forwarded[0]?.body).toBe(
    '{"max_results":2,"view_type":9007199254740993,"filter":"\\u00e9"}',
  );
});

it('a token of another connection is none', async () => {
  const list = { method: 'GET', path: '/api/2.0/mlflow/experiments/search', hold: holdExperiments } as const;
  list.hold(['own-1', 'own-2']);
  const { token } = await page(list, { max_results: 1 });
  const first = house;
  house = await MlflowHouse.open({ name: 'other' });
  const response = await house.gateway.fetch(
    `/connections/other${list.path}?max_results=1&page_token=${token}`,
    {
      headers: { authorization: 'Bearer bob' },
    },
  );
  expect(await refusalOf(response)).toMatchObject({ status: 400, code: 'INVALID_PARAMETER_VALUE' });
  await first.close();
});
