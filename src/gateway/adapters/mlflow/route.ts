import type { HTTPMethod } from 'find-my-way';
import type { Listing } from './listings.ts';
import type { Places, Touches } from './touches.ts';
import type { Stamp } from './stamps.ts';

/** One row of the table: a method and a path of the tracking server, and what it does to what. */
export interface MlflowRoute {
  readonly method: HTTPMethod;
  /** find-my-way pattern. */
  readonly path: string;
  /** What the caller needs at every place that is touched. Null: nothing but to be recognised. */
  readonly action: string | null;
  readonly effect: 'read' | 'change';
  /** `json`: an object that says what is touched; `graphql`: a query; `protobuf`: spans of OpenTelemetry; `stream`: whatever, unread. */
  readonly body: 'none' | 'json' | 'graphql' | 'protobuf' | 'stream';
  /** Absent: the connection as a whole. */
  readonly places?: Places;
  /** Of a row without places: it may be about any experiment or model. */
  readonly everything?: boolean;
  readonly also?: Touches;
  /** What the request must say of its author, put in place of what it says itself. */
  readonly stamp?: Stamp;
  /** A list, of which everybody sees what they may read. */
  readonly listing?: Listing;
}

type Rest = Partial<
  Pick<MlflowRoute, 'places' | 'everything' | 'also' | 'stamp' | 'listing' | 'effect' | 'body'>
>;

/** A GET is told by its query, anything else by its JSON; a row without places does not read it. */
export function row(method: HTTPMethod, path: string, action: string | null, rest: Rest = {}): MlflowRoute {
  const reads = method === 'GET';
  const told = rest.places !== undefined || rest.also !== undefined || rest.stamp !== undefined;
  return {
    method,
    path,
    action,
    effect: reads ? 'read' : 'change',
    body: reads ? 'none' : told || rest.listing !== undefined ? 'json' : 'stream',
    ...rest,
  };
}

/** The row under `/api/…` and its twin for the browser under `/ajax-api/…`. */
export function twins(routes: readonly MlflowRoute[]): MlflowRoute[] {
  return routes.flatMap((route) => [
    { ...route, path: `/api${route.path}` },
    { ...route, path: `/ajax-api${route.path}` },
  ]);
}
