import { failure, LockstepError } from '../../../lib/errors.ts';
import type { Access } from '../../../policy/types.ts';
import { wholeBody } from '../../upstream/whole-body.ts';
import type { Exchange } from '../../types.ts';
import { mlflowActions as actions } from './actions.ts';
import { checkRelativePath } from './artifact-paths.ts';
import { nameForUs, readGraphql, type GraphqlInput, type RootField } from './graphql-query.ts';
import { replyOf, type Listing } from './listings.ts';
import {
  everything,
  experimentPlace,
  modelPlace,
  scopeOfPlace,
  wholeConnection,
  type MlflowPlace,
} from './places.ts';
import { placeOfRun, type Places, type Question, type Touches } from './touches.ts';

type Asked = Pick<Question, 'lookups' | 'asker'>;

/** A question of MLflow's GraphQL: where what it tells belongs, and what is needed there besides reading experiments. */
interface Row {
  readonly action: string | null;
  places(input: GraphqlInput, asked: Asked): Promise<readonly MlflowPlace[]>;
}

const mostRuns = 100;

/** `mlflow.server.graphql.graphql_schema_extensions`: its root fields. What is not here is refused. */
const rows: Readonly<Record<string, Row>> = {
  mlflowGetExperiment: {
    action: null,
    places: (input) => {
      const id = input.one('experimentId');
      return Promise.resolve([id === null ? wholeConnection : experimentPlace(id)]);
    },
  },
  mlflowGetRun: { action: actions.runs.read, places: theRun },
  mlflowSearchRuns: { action: actions.runs.read, places: experiments },
  mlflowSearchDatasets: { action: actions.runs.read, places: experiments },
  mlflowListArtifacts: {
    action: actions.artifacts.read,
    places: (input, asked) => {
      checkRelativePath(input.one('path') ?? '');
      return theRun(input, asked);
    },
  },
  mlflowGetMetricHistoryBulkInterval: {
    action: actions.runs.read,
    places: async (input, asked) => {
      const ids = [...new Set(input.list('runIds'))];
      if (ids.length > mostRuns)
        throw failure('invalid_request', `\`runIds\`: at most ${mostRuns} runs at once.`);
      if (ids.length === 0) return [wholeConnection];
      const places: MlflowPlace[] = [];
      for (let start = 0; start < ids.length; start += 8) {
        const some = ids
          .slice(start, start + 8)
          .map(async (id) => placeOfRun(id, asked.lookups, asked.asker));
        places.push(...(await Promise.all(some)));
      }
      return places;
    },
  },
  mlflowSearchModelVersions: { action: actions.versions.read, places: () => Promise.resolve([everything]) },
};

/** Experiments that the query tells of. */
export const graphqlPlaces: Places = async ({ bytes, ...asked }) => {
  const places = await Promise.all(readGraphql(bytes).fields.map((field) => placesOf(field, asked)));
  return places.length === 0 ? [wholeConnection] : places.flat();
};

/** What it tells of them besides. */
export const graphqlTouches: Touches = async ({ bytes, ...asked }) => {
  const touches = await Promise.all(
    readGraphql(bytes).fields.map(async (field) => {
      const { action } = rowOf(field);
      if (action === null) return [];
      return (await placesOf(field, asked)).map((place) => ({ action, place }));
    }),
  );
  return touches.flat();
};

/** The answer, without versions of models that the caller may not read: a run is told with those that were made of it. */
export const graphqlAnswer: Listing = async ({ exchange, proxied, place, headers }) => {
  const { fields, body } = readGraphql(exchange.bytes);
  const plain = { ...headers, 'accept-encoding': 'identity' };
  const answer = await proxied.send(exchange, place, { headers: plain, body });
  const bytes = await wholeBody(answer.body, largestAnswer);
  const ways = fields.flatMap(({ versionsAt }) => versionsAt);
  if (ways.length === 0 || answer.status !== 200) return replyOf(answer, bytes);
  const told = answerIn(bytes);
  const lists = ways.flatMap((way) => listsAt(told['data'], way));
  await keepReadable(exchange, proxied.scope, lists);
  return replyOf(answer, Buffer.from(JSON.stringify(told)));
};

const largestAnswer = 67_108_864;

async function theRun(input: GraphqlInput, { lookups, asker }: Asked): Promise<readonly MlflowPlace[]> {
  const [id, old] = [input.one('runId'), input.one('runUuid')];
  if (id !== null && old !== null && id !== old)
    throw failure('invalid_request', '`runId` and `runUuid` name two runs.');
  return [await placeOfRun(id ?? old, lookups, asker)];
}

function experiments(input: GraphqlInput): Promise<readonly MlflowPlace[]> {
  const ids = input.list('experimentIds');
  return Promise.resolve(ids.length === 0 ? [everything] : ids.map(experimentPlace));
}

function rowOf({ name }: RootField): Row {
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (row === undefined)
    throw failure('invalid_request', `\`${name.slice(0, 60)}\` is not described here, so it is not asked.`);
  return row;
}

async function placesOf(field: RootField, asked: Asked): Promise<readonly MlflowPlace[]> {
  return rowOf(field).places(field.input, asked);
}

type Members = Record<string, unknown>;

function answerIn(bytes: Buffer): Members {
  try {
    const told: unknown = JSON.parse(bytes.toString('utf8'));
    if (isMembers(told)) return told;
  } catch {
    // Said below.
  }
  throw new LockstepError({
    code: 'upstream_unreachable',
    publicMessage: 'The tracking server’s answer cannot be looked through, so it is not passed on.',
  });
}

/** What holds a list, and its name there. */
interface Held {
  readonly holder: Members;
  readonly name: string;
  readonly list: readonly unknown[];
}

function listsAt(value: unknown, [name, ...rest]: readonly string[]): Held[] {
  if (Array.isArray(value)) {
    const way = name === undefined ? [] : [name, ...rest];
    return value.flatMap((item: unknown) => listsAt(item, way));
  }
  if (name === undefined || !isMembers(value)) return [];
  const found = value[name];
  if (rest.length > 0) return listsAt(found, rest);
  return Array.isArray(found) ? [{ holder: value, name, list: found }] : [];
}

/** Leaves in each list what may be read; what has no name is not shown. */
async function keepReadable(
  exchange: Exchange,
  connectionScope: string,
  lists: readonly Held[],
): Promise<void> {
  const names = new Set<string>();
  for (const { list } of lists) for (const item of list) names.add(nameIn(item) ?? '');
  names.delete('');
  const ordered = [...names];
  const decisions = await exchange.decideEach(
    ordered.map((name): Access => ({
      action: actions.versions.read,
      dataAction: false,
      scope: scopeOfPlace(connectionScope, modelPlace(name)),
    })),
  );
  const readable = new Set(ordered.filter((_, i) => decisions[i]?.allowed === true));
  for (const { holder, name, list } of lists) {
    holder[name] = list.filter((item) => readable.has(nameIn(item) ?? '')).map(withoutOurs);
  }
}

function nameIn(item: unknown): string | null {
  const name = isMembers(item) ? item[nameForUs] : null;
  return typeof name === 'string' ? name : null;
}

function withoutOurs(item: unknown): unknown {
  if (!isMembers(item)) return item;
  const { [nameForUs]: _ours, ...rest } = item;
  return rest;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
