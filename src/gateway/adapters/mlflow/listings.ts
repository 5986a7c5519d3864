import { LockstepError } from '../../../lib/errors.ts';
import { mustAllow } from '../../must-allow.ts';
import { wholeBody } from '../../whole-body.ts';
import type { Access } from '../../../policy/types.ts';
import type { Exchange, Reply } from '../../types.ts';
import type { Place, Proxied, Substitute, UpstreamAnswer } from '../web/proxied.ts';
import { mlflowActions as actions } from './actions.ts';
import { member, readJson, stringIn, type JsonNode } from './json-text.ts';
import { experimentPlace, modelPlace, scopeOfPlace, wholeConnection, type MlflowPlace } from './places.ts';
import { readQuery, valuesOfBody, valuesOfQuery } from './values.ts';

export interface ListingContext {
  readonly exchange: Exchange;
  readonly proxied: Proxied;
  readonly place: Place;
  /** Headers that every request to the upstream carries in place of the caller's. */
  readonly headers: NonNullable<Substitute['headers']>;
}

/** Answers with what of the upstream's answer the caller may see. */
export type Listing = (context: ListingContext) => Promise<Reply>;

interface Kind {
  /** Member of the answer that holds the items. */
  readonly items: string;
  readonly action: string;
  /** All that must be readable for the item to be shown. */
  readonly places: (item: JsonNode) => readonly MlflowPlace[];
  /** What MLflow gives without being told how many. */
  readonly usual: number;
}

export const experimentsSearch = filtered({
  items: 'experiments',
  action: actions.experiments.read,
  places: (item) => [experimentPlace(textIn(item, 'experiment_id'))],
  usual: 1000,
});

export const modelsSearch = filtered({
  items: 'registered_models',
  action: actions.models.read,
  places: (item) => [modelPlace(textIn(item, 'name'))],
  usual: 100,
});

export const versionsSearch = filtered({
  items: 'model_versions',
  action: actions.versions.read,
  places: (item) => [modelPlace(textIn(item, 'name'))],
  usual: 10_000,
});

export const datasetsSearch = filtered({
  items: 'datasets',
  action: actions.datasets.read,
  places: (item) => {
    const ids = member(item, 'experiment_ids');
    if (ids?.kind !== 'array' || ids.items.length === 0) return [wholeConnection];
    return ids.items.map((id) => experimentPlace(stringIn(id) ?? ''));
  },
  usual: 1000,
});

/**
 * The experiment of a name, decided on as it is in the answer: between the question whose it is and this one the name
 * may have changed hands.
 */
export const verifiedExperiment: Listing = async ({ exchange, proxied, place, headers }) => {
  const plain = { ...headers, 'accept-encoding': 'identity' };
  const answer = await proxied.send(exchange, place, { headers: plain });
  const bytes = await wholeBody(answer.body, largestAnswer);
  if (answer.status !== 200) return replyOf(answer, bytes);
  const id = stringIn(member(member(readJson(bytes).root, 'experiment'), 'experiment_id'));
  const scope = scopeOfPlace(proxied.scope, experimentPlace(id ?? ''));
  const decision = await exchange.decideAlso({ action: actions.experiments.read, dataAction: false, scope });
  mustAllow(exchange, decision);
  return replyOf(answer, bytes);
};

const largestAnswer = 67_108_864;
/** So many pages are looked through for one answer; what is left comes with the next page token. */
const mostPages = 50;

/**
 * A search whose items are shown to those who may read them. As long as fewer were found than asked for, the next page
 * is asked for, for no more than are missing: so a page is short only where the list ends (or very many items in a row
 * are hidden), and the token of the answer is MLflow's own and leads to the very next item.
 */
function filtered(kind: Kind): Listing {
  return async ({ exchange, proxied, place, headers }) => {
    const asked = askedOf(exchange, kind.usual);
    const shown: string[] = [];
    let token: string | null = null;
    for (let pages = 1; ; pages += 1) {
      const page = pages === 1 ? asked.first : asked.page(asked.wanted - shown.length, token ?? '');
      const answer = await proxied.send(exchange, place, {
        ...page,
        headers: { ...headers, 'accept-encoding': 'identity' },
      });
      const bytes = await wholeAnswer(answer.body);
      if (answer.status !== 200) return replyOf(answer, bytes);
      const { text, root } = readJson(bytes);
      const array = member(root, kind.items);
      const items = array?.kind === 'array' ? array.items : [];
      const keep = await visible(exchange, proxied.scope, kind, items);
      token = stringIn(member(root, 'next_page_token'));
      const ended = token === null || token === '';
      if (pages === 1 && keep.every(Boolean)) return replyOf(answer, bytes);
      shown.push(...items.filter((_, i) => keep[i] === true).map(({ start, end }) => text.slice(start, end)));
      if (!ended && shown.length < asked.wanted && pages < mostPages) continue;
      const tail = ended ? '' : `${shown.length === 0 ? '' : ','}"next_page_token":${JSON.stringify(token)}`;
      const list = shown.length === 0 ? '' : `"${kind.items}":[${shown.join(',')}]`;
      return replyOf(answer, Buffer.from(`{${list}${tail}}`));
    }
  };
}

async function visible(
  exchange: Exchange,
  connectionScope: string,
  { action, places }: Kind,
  items: readonly JsonNode[],
): Promise<boolean[]> {
  const wanted = items.map((item) =>
    places(item).map((place): Access => ({
      action,
      dataAction: false,
      scope: scopeOfPlace(connectionScope, place),
    })),
  );
  const decisions = await exchange.decideEach(wanted.flat());
  let at = 0;
  return wanted.map(({ length }) => {
    const mine = decisions.slice(at, at + length);
    at += length;
    return mine.length > 0 && mine.every(({ allowed }) => allowed);
  });
}

interface Asked {
  /** The request as it came. */
  readonly first: Substitute;
  readonly wanted: number;
  page(count: number, token: string): Substitute;
}

/** How many items the caller wants, and how the next of them are asked for. */
function askedOf(exchange: Exchange, usual: number): Asked {
  const { head, bytes } = exchange;
  if (head.method === 'GET' || head.method === 'HEAD') {
    const given = valuesOfQuery(head.rawQuery).one('max_results');
    return {
      first: {},
      wanted: countOf(given, usual),
      page(count, token) {
        const query = readQuery(head.rawQuery);
        query.set('max_results', String(count));
        query.set('page_token', token);
        return { rawQuery: query.toString() };
      },
    };
  }
  const { root } = valuesOfBody(bytes);
  const given = member(root, 'max_results');
  const text = bytes.length === 0 ? '{}' : bytes.toString('utf8');
  return {
    first: { body: bytes },
    wanted: countOf(given === null ? null : text.slice(given.start, given.end).replaceAll('"', ''), usual),
    page(count, token) {
      const body = { ...objectOf(text), max_results: count, page_token: token };
      return { body: Buffer.from(JSON.stringify(body)) };
    },
  };
}

function objectOf(text: string): object {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? value : {};
}

function countOf(given: string | null, usual: number): number {
  const count = given === null ? usual : Number(given);
  return Number.isInteger(count) && count > 0 ? Math.min(count, 50_000) : usual;
}

async function wholeAnswer(body: UpstreamAnswer['body']): Promise<Buffer> {
  try {
    return await wholeBody(body, largestAnswer);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new LockstepError({
      code: 'invalid_request',
      publicMessage: 'The answer is too large to be looked through; ask for fewer with `max_results`.',
      cause,
    });
  }
}

export function replyOf({ status, headers }: UpstreamAnswer, bytes: Buffer): Reply {
  const { 'content-length': _length, ...kept } = headers;
  return { status, headers: kept, body: bytes };
}

function textIn(item: JsonNode, name: string): string {
  return stringIn(member(item, name)) ?? '';
}
