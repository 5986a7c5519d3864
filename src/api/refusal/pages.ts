import type { Refused, RefusalPage } from '../../gateway/adapters/web/refusal-page.ts';
import { beginWay, type SignInAddress } from '../../gateway/adapters/web/browser-sign-in.ts';
import { onlyPersonReads } from '../../gateway/browser/page-visit.ts';
import { genericSurface } from '../../gateway/denial/generic-surface.ts';
import type { Reply, RequestHead, Surface } from '../../gateway/types.ts';
import type { LockstepError } from '../../lib/errors.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { refusalPage } from './refusal-page.ts';
import { refusalOf } from './refusal.ts';

export interface RefusalPagesOptions {
  readonly publicUrl: string;
  readonly snapshot: PolicySnapshot;
  /** Of a connection's own host, where people use it; null where it serves programs only. */
  originOf(connection: string): string | null;
  readonly signInAddress: SignInAddress;
  /** Where a person asks for what a decision refused them; absent: nowhere. */
  askAddress?(decision: string): string;
}

/** The page of a connection that has refused a person, or could not serve them. */
export function refusalPages(options: RefusalPagesOptions): RefusalPage {
  const { snapshot } = options;
  return ({ error, head, status, connection }: Refused): Reply => {
    const origin = options.originOf(connection.name);
    const programsAddress = `${options.publicUrl}/connections/${connection.name}/`;
    const refusal = refusalOf(
      { error, connection: { ...connection, forProgramsAt: origin === null ? programsAddress : null } },
      snapshot,
    );
    const { person, decision } = refusal;
    // Here it is their own sign-in at the connection that speaks for them, and theirs alone.
    const isTheirs = connection.onOwnHost && person !== null && decision !== null;
    const way = isTheirs && origin !== null && head.method === 'GET' ? beginWay(head) : null;
    return refusalPage({
      ...refusal,
      status,
      requestId: head.id,
      askAddress: isTheirs ? (options.askAddress?.(decision.id) ?? null) : null,
      elsewhereAddress: way === null ? null : elsewhere(options, connection.name, way.state, way.path),
      rightAddress: connection.onOwnHost || origin === null ? null : onOwnHost(origin, connection.name, head),
      setCookies: way?.setCookies ?? [],
    });
  };
}

/** A person's visit to where nothing is: `isNowhere` says of which. */
export function nowhereSurface(snapshot: PolicySnapshot, isNowhere: (head: RequestHead) => boolean): Surface {
  return {
    ...genericSurface,
    matches: (head) => onlyPersonReads(head) && isNowhere(head),
    renderError: (error: LockstepError, head: RequestHead) =>
      refusalPage({
        ...refusalOf({ error, connection: null }, snapshot),
        status: error.status,
        requestId: head.id,
        askAddress: null,
        elsewhereAddress: null,
        rightAddress: null,
        setCookies: [],
      }),
  };
}

function elsewhere(options: RefusalPagesOptions, name: string, state: string, path: string): string {
  const { pathname, search } = new URL(options.signInAddress(name, state, path));
  return `${options.publicUrl}/signin?${query({ continue: `${pathname}${search}` })}`;
}

function onOwnHost(origin: string, name: string, { path, rawQuery }: RequestHead): string {
  const rest = path.slice(`/connections/${name}`.length);
  return `${origin}${rest}${rawQuery === '' ? '' : `?${rawQuery}`}`;
}

function query(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(values).toString();
}
