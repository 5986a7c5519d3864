import { z } from 'zod';
import type { Caller } from '../../../identity/caller.ts';
import { failure, LockstepError } from '../../../lib/errors.ts';
import { caseSensitiveSegment } from '../../../policy/scope.ts';
import type { Access } from '../../../policy/types.ts';
import { renderJsonError } from '../../denial/generic-surface.ts';
import type { Described } from '../../types.ts';
import { wholeBody } from '../../upstream/whole-body.ts';
import {
  Proxied,
  type Place,
  type ProxiedConnection,
  type ProxiedSurface,
  type ProxyOptions,
} from '../web/proxied.ts';

const action = 'Microsoft.MachineLearningServices/workspaces/experiments/read';

export function boardSurface(connection: ProxiedConnection, options: ProxyOptions): ProxiedSurface {
  const proxied = new Proxied(connection, options);
  return proxied.surface({
    kind: 'board',
    describe: ({ method }, place) => {
      // Null is "nobody has described this", which is a deny. There is no default.
      if (method !== 'GET') return null;
      if (place.path === '/api/experiments') return listOfExperiments(proxied, place);
      const [, run] = /^\/api\/runs\/(\w{1,64})$/.exec(place.path) ?? [];
      if (run !== undefined) return oneRun(proxied, place, run);
      const [, experiment] = /^\/experiment\/(\w{1,64})(?:\/|$)/.exec(place.path) ?? [];
      return experiment === undefined ? null : pages(proxied, place, experiment);
    },
    renderError: renderJsonError,
  });
}

function pages(proxied: Proxied, place: Place, experiment: string): Described {
  return {
    operation: action,
    guard: { kind: 'action', access: accessTo(proxied, experiment) },
    effect: 'read',
    body: { kind: 'none' },
    serve: (exchange) => proxied.serve(exchange, place),
  };
}

function accessTo({ scope }: Proxied, experiment: string): Access {
  return { action, dataAction: false, scope: `${scope}/experiments/${caseSensitiveSegment(experiment)}` };
}

/** `["one","two"]`, without those that the caller may not see. */
function listOfExperiments(proxied: Proxied, place: Place): Described {
  return {
    operation: action,
    guard: { kind: 'authenticated', rule: 'experiments-that-may-be-seen', scope: proxied.scope },
    effect: 'read',
    body: { kind: 'none' },
    serve: async (exchange) => {
      // Neither what is compressed can be read here, nor a part, nor that nothing has changed.
      const plain = { 'accept-encoding': 'identity', range: undefined, 'if-none-match': undefined };
      const { status, body } = await proxied.send(exchange, place, { headers: plain });
      const names = understood(status, await wholeBody(body, 1_048_576), z.array(z.string()));
      const decisions = await exchange.decideEach(names.map((name) => accessTo(proxied, name)));
      const shown = names.filter((_, i) => decisions[i]?.allowed === true);
      const headers = { 'content-type': 'application/json' };
      return { status: 200, headers, body: JSON.stringify(shown) };
    },
  };
}

/** What the board has said. That it is no answer is no fault of the caller's. */
function understood<T>(status: number, bytes: Buffer, schema: z.ZodType<T>): T {
  try {
    if (status !== 200) throw new Error(`it answered ${status}`);
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    const publicMessage = 'The board did not say what it has, so it cannot be decided on.';
    throw new LockstepError({ code: 'upstream_unreachable', publicMessage, cause });
  }
}

/** Of which experiment a run is, the board alone knows: it is asked before the one decision. */
function oneRun(proxied: Proxied, place: Place, run: string): Described {
  const locate = async (_body: Buffer, signal: AbortSignal, { subject }: Caller): Promise<Access> => {
    const answer = await proxied.ask('GET', `/api/runs/${run}`, { signal, caller: subject.id });
    const bytes = await wholeBody(answer.whole ?? answer.body, 1_048_576);
    if (answer.statusCode === 404) throw failure('not_found', `There is no run ${run}.`);
    const { experiment } = understood(answer.statusCode, bytes, z.object({ experiment: z.string() }));
    return accessTo(proxied, experiment);
  };
  // Where it is to be found: somewhere here. Who may see all of that is told that there is no such run; others are denied.
  const access = { action, dataAction: false, scope: proxied.scope };
  const guard = { kind: 'action', access, locate } as const;
  const serve: Described['serve'] = (exchange) => proxied.serve(exchange, place);
  return { operation: action, guard, effect: 'read', body: { kind: 'none' }, serve };
}
