import type { Clock } from '../../../lib/clock.ts';
import type { Access } from '../../../policy/types.ts';
import type { BodyRule, Exchange, Reply, RequestHead } from '../../types.ts';
import type { Query } from './request-rules.ts';
import type { BlobStore } from './store.ts';
import type { Addressing, Target, TargetOf } from './target.ts';

/** One request for one operation, taken apart. */
export interface BlobRequest<T extends Target> {
  readonly target: T;
  readonly head: RequestHead;
  readonly query: Query;
}

/** What operations work with. */
export interface Surroundings {
  readonly store: BlobStore;
  readonly addressing: Addressing;
  /** `host:port` of the public URL. */
  readonly publicAuthority: string;
  readonly clock: Clock;
}

/** One operation of the Blob service: what it understands, what it needs, what it does. */
export interface Operation<T extends Target> {
  readonly effect: 'read' | 'change';
  readonly body: BodyRule;
  /** Query parameters besides `comp`, `restype` and `timeout`; any other is refused. */
  readonly query?: readonly string[];
  /** `x-ms-…` headers besides the common ones; any other is refused. */
  readonly headers?: readonly string[];
  /** Whether `x-ms-meta-…` is acted on; else refused. */
  readonly metadata?: boolean;
  /** Whether conditional headers are acted on; else refused. */
  readonly conditions?: boolean;
  /** Parses the rest of the request, once, before anything is decided. */
  open(request: BlobRequest<T>): Opened;
}

export interface Opened {
  readonly access: Access;
  serve(exchange: Exchange, surroundings: Surroundings): Promise<Reply>;
}

export type ServiceOperation = Operation<TargetOf<'service'>>;
export type ContainerOperation = Operation<TargetOf<'container'>>;
export type BlobOperation = Operation<TargetOf<'blob'>>;

export const noBody: BodyRule = { kind: 'none' };
