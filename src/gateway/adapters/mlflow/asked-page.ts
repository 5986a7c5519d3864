import type { Exchange } from '../../types.ts';
import type { Substitute } from '../web/proxied.ts';
import { member, type JsonNode } from './json-text.ts';
import type { Position } from './page-tokens.ts';
import { readQuery, valuesOfBody, valuesOfQuery } from './values.ts';

/** What a caller asks of a list that comes in pages. */
export interface AskedPage {
  /** As many as the caller wants, or as MLflow gives unasked. */
  readonly wanted: number;
  /** Whether MLflow takes the number that the caller gives, if any. */
  readonly isCounted: boolean;
  /** Given with an answer of ours; null for the first page. */
  readonly token: string | null;
  /** All that is asked besides which page of it, in one form. */
  readonly question: string;
  /** The same, for so many items behind the upstream's own token; null leaves their number as it was given. */
  page(count: number | null, token: Position['token']): Substitute;
}

const which = new Set(['max_results', 'page_token']);

/** Throws `invalid_request` for what can be read in two ways. */
export function askedPage({ head, bytes }: Exchange, usual: number): AskedPage {
  return head.method === 'GET' ? askedByQuery(head.rawQuery, usual) : askedByBody(bytes, usual);
}

function askedByQuery(rawQuery: string, usual: number): AskedPage {
  const values = valuesOfQuery(rawQuery);
  const given = values.one('max_results');
  return {
    ...counted(given === null ? usual : digits(given), usual),
    token: values.one('page_token'),
    question: questionOf([...readQuery(rawQuery)]),
    page(count, token) {
      const query = readQuery(rawQuery);
      query.delete('page_token');
      if (count !== null) query.set('max_results', String(count));
      if (token !== '') query.set('page_token', token);
      return { rawQuery: query.toString() };
    },
  };
}

function askedByBody(bytes: Buffer, usual: number): AskedPage {
  const values = valuesOfBody(bytes);
  const text = bytes.length === 0 ? '{}' : bytes.toString('utf8');
  const members = values.root?.kind === 'object' ? [...values.root.members] : [];
  const written = members.map(([name, { start, end }]): [string, string] => [name, text.slice(start, end)]);
  const given = member(values.root, 'max_results');
  return {
    ...counted(given === null ? usual : numberIn(given, text), usual),
    token: values.one('page_token'),
    question: questionOf(written),
    page(count, token) {
      const replaced = new Set(count === null ? ['page_token'] : which);
      // First: MLflow goes on with what it has read when it meets a member that is malformed.
      const all = [
        ...(count === null ? [] : [['max_results', String(count)]]),
        ...(token === '' ? [] : [['page_token', JSON.stringify(token)]]),
        ...written.filter(([name]) => !replaced.has(name)),
      ];
      const body = all.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',');
      return { body: Buffer.from(`{${body}}`) };
    },
  };
}

function counted(count: number, usual: number): Pick<AskedPage, 'wanted' | 'isCounted'> {
  const isCounted = Number.isInteger(count) && count > 0 && count <= 50_000;
  return { wanted: isCounted ? count : usual, isCounted };
}

function numberIn(node: JsonNode, text: string): number {
  return node.kind === 'string' ? digits(node.value) : Number(text.slice(node.start, node.end));
}

function digits(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** In whatever order it stands. */
function questionOf(entries: readonly (readonly [name: string, value: string])[]): string {
  const asked = entries.filter(([name]) => !which.has(name)).map((entry) => JSON.stringify(entry));
  return JSON.stringify(asked.sort());
}
