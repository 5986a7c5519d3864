import type { HTTPMethod } from 'find-my-way';
import type { BodyRule, Exchange, Guard, Reply, RequestHead } from './types.ts';

/** Path parameters, percent-decoded. */
export type Params = Readonly<Record<string, string>>;

/** One row of a local service's table. A route without a guard does not compile. */
export interface Route {
  readonly method: HTTPMethod;
  /** find-my-way pattern. */
  readonly path: string;
  /** Operation name, when the guard has no action to give it. */
  readonly operation?: string;
  readonly effect: 'read' | 'change';
  readonly body: BodyRule;
  guard(params: Params, head: RequestHead): Guard;
  serve(exchange: Exchange, params: Params): Promise<Reply>;
}
