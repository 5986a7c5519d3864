import { LockstepError } from '../../../lib/errors.ts';
import type { Access, Decision } from '../../../policy/types.ts';
import { mustAllow } from '../../denial/must-allow.ts';
import { wholeBody } from '../../upstream/whole-body.ts';
import type { Exchange, Reply } from '../../types.ts';
import type { Place, Proxied, Substitute, UpstreamAnswer } from '../web/proxied.ts';
import { mlflowActions as actions } from './actions.ts';
import { askedPage } from './asked-page.ts';
import { member, readJson, stringIn, type JsonNode } from './json-text.ts';
import { experimentPlace, modelPlace, scopeOfPlace, wholeConnection, type MlflowPlace } from './places.ts';
import { beginning, type PageTokens, type Position } from './page-tokens.ts';

export interface ListingContext {
  readonly exchange: Exchange;
  readonly proxied: Proxied;
  readonly place: Place;
  /** Headers that every request to the upstream carries in place of the caller's. */
  readonly headers: NonNullable<Substitute['headers']>;
  readonly tokens: PageTokens;
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
/** What MLflow gives at most of any list, and how many of its pages are looked through for one of ours. */
const largestPage = 1000;
const mostPages = 10;

/**
 * A search whose items are shown to those who may read them. It goes on until there are as many as were asked for and
 * one more is known, or the list ends: so a page is short, and there is a next one, only where that would be so without
 * what is hidden, unless very many in a row are. The answer is always written anew: its form would tell that nothing was
 * left out.
 */
function filtered(kind: Kind): Listing {
  return async ({ exchange, proxied, place, headers, tokens }) => {
    const asked = askedPage(exchange, kind.usual);
    const question = JSON.stringify([proxied.scope, ...whoAsks(exchange), place.path, asked.question]);
    const shown: string[] = [];
    let at = asked.token === null ? beginning : tokens.open(asked.token, question);
    const most = Math.max(largestPage, asked.wanted, at.skip + 1);
    for (let pages = 1; ; pages += 1) {
      const size = pages === 1 ? Math.min(most, at.skip + asked.wanted + 1) : most;
      const answer = await proxied.send(exchange, place, {
        ...asked.page(size, at),
        headers: { ...headers, 'accept-encoding': 'identity' },
      });
      const bytes = await wholeAnswer(answer.body);
      if (answer.status !== 200) return replyOf(answer, bytes);
      const { text, root } = readJson(bytes);
      const array = member(root, kind.items);
      const items = array?.kind === 'array' ? array.items : [];
      const seen = await look(
        exchange,
        proxied.scope,
        kind,
        items.slice(at.skip),
        asked.wanted - shown.length,
      );
      const token = stringIn(member(root, 'next_page_token')) ?? '';
      shown.push(...seen.shown.map(({ start, end }) => text.slice(start, end)));
      const next: Position | null =
        seen.more !== null
          ? { token: at.token, skip: at.skip + seen.more }
          : token === ''
            ? null
            : { token, skip: 0 };
      if (seen.more === null && next !== null && pages < mostPages) {
        at = next;
        continue;
      }
      const parts = [
        ...(shown.length === 0 ? [] : [`"${kind.items}":[${shown.join(',')}]`]),
        ...(next === null ? [] : [`"next_page_token":${JSON.stringify(tokens.seal(next, question))}`]),
      ];
      return replyOf(answer, Buffer.from(`{${parts.join(',')}}`));
    }
  };
}

/** Whose rights decide what is shown. */
function whoAsks({ caller, head }: Exchange): readonly string[] {
  return [head.method, caller?.subject.id ?? '', ...(caller?.authorities ?? [])];
}

interface Seen {
  readonly shown: readonly JsonNode[];
  /** The first behind them that may be shown too, by its index. */
  readonly more: number | null;
}

/** The first items that may be shown, as many as are wanted. What is behind them is looked at, but not told. */
async function look(
  exchange: Exchange,
  connectionScope: string,
  { action, places }: Kind,
  items: readonly JsonNode[],
  wanted: number,
): Promise<Seen> {
  const accesses = items.map((item) =>
    places(item).map((place): Access => ({
      action,
      dataAction: false,
      scope: scopeOfPlace(connectionScope, place),
    })),
  );
  const seen = (decisions: readonly Decision[]): Seen => {
    let at = 0;
    const keep = accesses.map(({ length }) => {
      const mine = decisions.slice(at, at + length);
      at += length;
      return mine.length > 0 && mine.every(({ allowed }) => allowed);
    });
    const kept = [...keep.keys()].filter((i) => keep[i] === true);
    return {
      shown: items.filter((_, i) => keep[i] === true).slice(0, wanted),
      more: kept[wanted] ?? null,
    };
  };
  const told = (decisions: readonly Decision[]): number => {
    const { more } = seen(decisions);
    return accesses.slice(0, more ?? accesses.length).flat().length;
  };
  return seen(await exchange.decideEach(accesses.flat(), told));
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
