import type { Exchange } from '../../types.ts';
import type { Substitute } from '../web/proxied.ts';
import { member, type JsonNode } from './json-text.ts';
import { beginning, type Position } from './page-tokens.ts';
import { readQuery, valuesOfBody, valuesOfQuery } from './values.ts';

/** What a caller asks of a list that comes in pages. */
export interface AskedPage {
  /** As many as the caller wants, or as MLflow gives unasked. */
  readonly wanted: number;
  /** Given with an answer of ours; null for the first page. */
  readonly token: string | null;
  /** All that is asked besides which page of it, in one form. */
  readonly question: string;
  /**
   * The same, for so many items of the upstream's page. A number that is none is left to the upstream to refuse, and so is
   * that none is given where it wants one.
   */
  page(count: number, at: Position): Substitute;
}

/** Throws `invalid_request` for what can be read in two ways. */
export function askedPage({ head, bytes }: Exchange, usual: number): AskedPage {
  return head.method === 'GET' ? askedByQuery(head.rawQuery, usual) : askedByBody(bytes, usual);
}

function askedByQuery(rawQuery: string, usual: number): AskedPage {
  const values = valuesOfQuery(rawQuery);
  const given = values.one('max_results');
  const { wanted, isReplaced } = counted(given === null ? null : digits(given), usual);
  return {
    wanted,
    token: values.one('page_token'),
    question: questionOf([...readQuery(rawQuery)]),
    page(count, at) {
      const query = readQuery(rawQuery);
      query.delete('page_token');
      if (isReplaced(at)) query.set('max_results', String(count));
      if (at.token !== '') query.set('page_token', at.token);
      return { rawQuery: query.toString() };
    },
  };
}

function askedByBody(bytes: Buffer, usual: number): AskedPage {
  const values = valuesOfBody(bytes);
  // MLflow goes on without what stands behind an item that is malformed, such as the number of results.
  values.list('experiment_ids');
  const text = bytes.length === 0 ? '{}' : bytes.toString('utf8');
  const members = values.root?.kind === 'object' ? [...values.root.members] : [];
  const written = members.map(([name, { start, end }]): [string, string] => [name, text.slice(start, end)]);
  const given = member(values.root, 'max_results');
  const { wanted, isReplaced } = counted(given === null ? null : numberIn(given, text), usual);
  return {
    wanted,
    token: values.one('page_token'),
    question: questionOf(written),
    page(count, at) {
      const page = [
        ...(isReplaced(at) ? [['max_results', String(count)]] : []),
        ...(at.token === '' ? [] : [['page_token', JSON.stringify(at.token)]]),
      ];
      const replaced = new Set(['page_token', ...page.map(([name]) => name)]);
      const all = [...page, ...written.filter(([name]) => !replaced.has(name))];
      const body = all.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',');
      return { body: Buffer.from(`{${body}}`) };
    },
  };
}

/** Of the number that is given: null for none, NaN for what is no number. */
function counted(given: number | null, usual: number) {
  const isNumber = given !== null && Number.isInteger(given) && given > 0 && given <= 50_000;
  return {
    wanted: isNumber ? given : usual,
    isReplaced: ({ token, skip }: Position): boolean =>
      isNumber || (given === null && (token !== beginning.token || skip !== beginning.skip)),
  };
}

function numberIn(node: JsonNode, text: string): number {
  return node.kind === 'string' ? digits(node.value) : Number(text.slice(node.start, node.end));
}

function digits(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** In whatever order it stands. */
function questionOf(entries: readonly (readonly [name: string, value: string])[]): string {
  const asked = entries.filter(([name]) => name !== 'max_results' && name !== 'page_token');
  return JSON.stringify(asked.map((entry) => JSON.stringify(entry)).sort());
}
