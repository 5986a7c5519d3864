import findMyWay, { type HTTPMethod } from 'find-my-way';
import { failure } from '../../../lib/errors.ts';
import type { Access } from '../../../policy/types.ts';
import type { Params } from '../../routes.ts';
import type { BodyRule, Described, Exchange, Guard, Reply, RequestHead } from '../../types.ts';
import { mustAllow } from '../../denial/must-allow.ts';
import {
  Proxied,
  type Asker,
  type Place,
  type ProxiedConnection,
  type ProxiedSurface,
  type ProxyOptions,
} from '../web/proxied.ts';
import { canonicalName } from '../web/request-headers.ts';
import { deniedRoute } from './denied-routes.ts';
import { renderMlflowError } from './dialect.ts';
import { graphqlDenial } from './graphql-denial.ts';
import { readJson } from './json-text.ts';
import { Lookups } from './lookups.ts';
import { accessToPlace, everything, wholeConnection, type MlflowPlace } from './places.ts';
import { PageTokens } from './page-tokens.ts';
import { placesFirst } from './places-first.ts';
import type { MlflowRoute } from './route.ts';
import { mlflowRoutes } from './routes.ts';
import { valuesOfBody, valuesOfQuery, type Values } from './values.ts';

export interface MlflowConnection extends ProxiedConnection {
  /** The workspace that this connection stands for, where the server has several; null for a server without. */
  readonly workspace: string | null;
}

export interface MlflowOptions extends ProxyOptions {
  /**
   * Keys of 32 bytes for a purpose, the one to use first: what is sealed with one can be opened after a restart, and by
   * every replica.
   */
  derivedKeys(purpose: string): readonly Uint8Array[];
}

const workspaceHeader = 'x-mlflow-workspace';

/** Largest body that is read for what it touches. The server takes a megabyte of a batch. */
const mostReadBytes = 4_194_304;

/** Of a GraphQL query with its variables. */
const mostQueryBytes = 262_144;

/** Each of them is decided on, and recorded, by itself. */
const mostAccesses = 1000;

/**
 * An unmodified MLflow tracking server, each caller under their own identity. Every request is decided at the scope of
 * the experiment or registered model that it touches, beneath the connection's; what is made carries its maker.
 */
export function mlflowSurface(connection: MlflowConnection, options: MlflowOptions): ProxiedSurface {
  const proxied = new Proxied(connection, options);
  const { workspace } = connection;
  const tokens = new PageTokens((purpose) => options.derivedKeys(`${connection.name}\0${purpose}`));
  const lookups = new Lookups(proxied, workspace === null ? {} : { [workspaceHeader]: workspace });

  return proxied.surface({
    kind: 'mlflow',
    describe: (head, place) => {
      const found = findMlflowRoute(head.method, place.path);
      if (found === null) return null;
      checkQuery(head, found.route);
      return new MlflowRequest({ head, place, ...found, proxied, lookups, tokens, workspace }).describe();
    },
    renderError: (error, head) => {
      const place = proxied.placeOf(head);
      if (place === null) return renderMlflowError(error, head, null);
      return (
        graphqlDenial(error, head, place.path) ??
        renderMlflowError(error, head, deniedRoute(head.method, place.path))
      );
    },
  });
}

interface Parts {
  readonly head: RequestHead;
  readonly place: Place;
  readonly route: MlflowRoute;
  readonly params: Params;
  readonly proxied: Proxied;
  readonly lookups: Lookups;
  readonly tokens: PageTokens;
  readonly workspace: string | null;
}

/** One request that a row of the table names, from what it touches to its answer. */
class MlflowRequest {
  readonly #parts: Parts;
  /** All that is decided on besides the first, known once the request was located. */
  #besides: readonly Access[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  describe(): Described {
    const { route, proxied } = this.#parts;
    const { action, effect } = route;
    return {
      operation: action ?? 'mlflow/list',
      guard: this.#guard(),
      effect,
      body: bodyRule(route.body, proxied.maxBodyBytes),
      serve: (exchange) => this.#serve(exchange),
    };
  }

  #guard(): Guard {
    const { route, proxied } = this.#parts;
    const { action, places, also } = route;
    const { scope } = proxied;
    if (action === null) {
      const rule = route.listing === undefined ? 'mlflow-server' : 'mlflow-list';
      return { kind: 'authenticated', rule, scope };
    }
    const access = accessToPlace(action, scope, this.#whole);
    if (places === undefined && also === undefined) return { kind: 'action', access };
    return {
      kind: 'action',
      access,
      locate: (bytes, signal, { subject }) => this.#locate(access, bytes, { signal, caller: subject.id }),
    };
  }

  /** What a row without places is about. */
  get #whole(): MlflowPlace {
    return this.#parts.route.everything === true ? everything : wholeConnection;
  }

  async #locate(access: Access, bytes: Buffer, asker: Asker): Promise<Access> {
    const { head, params, route, lookups, proxied } = this.#parts;
    const values = route.body === 'json' ? valuesOfBody(bytes) : valuesOfQuery(head.rawQuery);
    checkParameters(params, values);
    const question = { head, params, values, bytes, lookups, asker };
    const places = (await route.places?.(question)) ?? [this.#whole];
    const also = (await route.also?.(question)) ?? [];
    const accesses = distinct([
      ...places.map((place) => accessToPlace(access.action, proxied.scope, place)),
      ...also.map(({ action, place }) => accessToPlace(action, proxied.scope, place)),
    ]);
    if (accesses.length > mostAccesses) {
      throw failure('invalid_request', `A request touches at most ${mostAccesses} things; send several.`);
    }
    const [first, ...besides] = accesses;
    this.#besides = besides;
    return first ?? access;
  }

  async #serve(exchange: Exchange): Promise<Reply> {
    const { head, route, proxied, place, tokens, workspace, params } = this.#parts;
    const { caller, decision, bytes } = exchange;
    if (caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
    checkWorkspace(head, workspace);
    // The workspace is the connection's: the caller's header neither chooses nor removes it.
    const headers = { [workspaceHeader]: workspace ?? undefined };
    for (const access of this.#besides) mustAllow(exchange, await exchange.decideAlso(access));
    if (route.listing !== undefined) return route.listing({ exchange, proxied, place, headers, tokens });
    const root = route.body === 'json' && bytes.length > 0 ? readJson(bytes).root : null;
    const author = { caller, decisionId: decision.id };
    const body = route.stamp?.({ bytes, root, params, author }) ?? null;
    if (route.body === 'json') {
      return proxied.serve(exchange, place, { headers, body: placesFirst(body ?? bytes) });
    }
    return proxied.serve(exchange, place, route.body === 'protobuf' ? { headers, body: bytes } : { headers });
  }
}

function bodyRule(body: MlflowRoute['body'], maxStreamed: number): BodyRule {
  switch (body) {
    case 'none':
      return { kind: 'none' };
    case 'json':
      return { kind: 'buffered', maxBytes: mostReadBytes, mediaTypes: ['application/json'] };
    case 'graphql':
      return { kind: 'buffered', maxBytes: mostQueryBytes, mediaTypes: ['application/json'] };
    case 'protobuf':
      return { kind: 'buffered', maxBytes: mostReadBytes, mediaTypes: ['application/x-protobuf'] };
    case 'stream':
      return { kind: 'streamed', maxBytes: maxStreamed };
  }
}

function distinct(accesses: readonly Access[]): readonly Access[] {
  const keyOf = ({ action, scope, subtree }: Access): string => `${action} ${scope} ${subtree === true}`;
  return [...new Map(accesses.map((access) => [keyOf(access), access])).values()];
}

export interface FoundRoute {
  readonly route: MlflowRoute;
  readonly params: Params;
}

const router = compile(mlflowRoutes);

/** Null for what no row names. HEAD is answered by the row for GET. */
export function findMlflowRoute(method: string, path: string): FoundRoute | null {
  const found = router.find((method === 'HEAD' ? 'GET' : method) as HTTPMethod, path);
  if (found === null) return null;
  // The router lets a value be empty; a segment never is. What a wildcard takes may be.
  const empty = Object.entries(found.params).some(([name, value]) => value === '' && name !== '*');
  const route = found.store as MlflowRoute;
  // The answer to a HEAD has no body to look through.
  if (empty || (method === 'HEAD' && route.listing !== undefined)) return null;
  return { route, params: Object.fromEntries(Object.entries(found.params).map(([k, v]) => [k, v ?? ''])) };
}

function compile(routes: readonly MlflowRoute[]) {
  const table = findMyWay({ caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 8192 });
  for (const route of routes) {
    table.on(
      route.method,
      route.path,
      () => {
        throw new Error('routes are looked up, not called');
      },
      route,
    );
  }
  return table;
}

/** Who names another workspace than the connection's is told, not served from this one. */
function checkWorkspace(head: RequestHead, workspace: string | null): void {
  const asked = Object.entries(head.headers).filter(([name]) => canonicalName(name) === workspaceHeader);
  if (asked.every(([, value]) => value === workspace)) return;
  throw failure(
    'access_denied',
    workspace === null
      ? 'This connection has no workspaces; leave `X-MLFLOW-WORKSPACE` (MLFLOW_WORKSPACE) away.'
      : `This connection is the workspace \`${workspace}\`; another one has a connection of its own.`,
  );
}

/** Some of the server's routes read from the body what stands in their path; then it must be the same. */
function checkParameters(params: Params, values: Values): void {
  for (const [name, value] of Object.entries(params)) {
    for (const other of name === 'trace_id' ? ['trace_id', 'request_id'] : [name]) {
      const said = values.one(other);
      if (said !== null && said !== value) {
        throw failure('invalid_request', `\`${other}\` is not what stands in the path.`);
      }
    }
  }
}

/** What is told by the body must not be told by the query too. */
function checkQuery(head: RequestHead, route: MlflowRoute): void {
  if ((route.body === 'json' || route.body === 'graphql') && head.rawQuery !== '') {
    throw failure('invalid_request', `A ${head.method} to this endpoint takes no query.`);
  }
}
