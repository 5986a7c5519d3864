import type { IncomingHttpHeaders } from 'node:http';
import type { RequestId } from '../../lib/ids.ts';
import type { RequestHead } from '../types.ts';

/** A head whose query is read when somebody first asks for it: of most requests nobody does. */
export class CheckedHead implements RequestHead {
  readonly id: RequestId;
  readonly method: string;
  readonly host: string;
  readonly authority: string;
  readonly path: string;
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  readonly callHeaders: IncomingHttpHeaders | undefined;
  readonly remoteAddress: string;
  readonly origin: string;
  readonly upgrade: 'websocket' | null;
  readonly hasBody: boolean;
  #query: URLSearchParams | null = null;

  constructor(head: Omit<RequestHead, 'query'>) {
    this.id = head.id;
    this.method = head.method;
    this.host = head.host;
    this.authority = head.authority;
    this.path = head.path;
    this.rawQuery = head.rawQuery;
    this.headers = head.headers;
    this.callHeaders = head.callHeaders;
    this.remoteAddress = head.remoteAddress;
    this.origin = head.origin;
    this.upgrade = head.upgrade;
    this.hasBody = head.hasBody;
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.rawQuery));
  }
}

/** The same head but for what is named; the query is that of its raw form. */
export function headWith(head: RequestHead, changes: Partial<Omit<RequestHead, 'query'>>): RequestHead {
  return new CheckedHead({ ...head, ...changes });
}
