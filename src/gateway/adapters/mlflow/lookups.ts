import { z, type ZodType } from 'zod';
import { failure, LockstepError } from '../../../lib/errors.ts';
import { RecentlyUsed } from '../../../lib/recently-used.ts';
import { parseJson } from '../../bodies/parse-body.ts';
import { drainBody } from '../../upstream/drain-body.ts';
import { wholeBody } from '../../upstream/whole-body.ts';
import type { Asker, Proxied } from '../web/proxied.ts';
import { experimentPlace } from './places.ts';

/** What of MLflow's own the gateway must know to decide: where a run, a logged model or a trace belongs. */
export interface Located {
  readonly experimentId: string;
  /** Root of its artifacts; null where it was not told. */
  readonly artifactUri: string | null;
}

const experimentId = z.string().refine((id) => experimentPlace(id).kind === 'experiment');
const runAnswer = z.object({
  run: z.object({ info: z.object({ experiment_id: experimentId, artifact_uri: z.string().optional() }) }),
});
const modelAnswer = z.object({
  model: z.object({ info: z.object({ experiment_id: experimentId, artifact_uri: z.string().optional() }) }),
});
const traceInfo = z.object({
  trace_id: z.string(),
  trace_location: z.object({ mlflow_experiment: z.object({ experiment_id: experimentId }) }),
});
const tracesAnswer = z.object({ trace_infos: z.array(traceInfo).default([]) });
const experimentAnswer = z.object({ experiment: z.object({ experiment_id: experimentId }) });
const datasetAnswer = z.object({ experiment_ids: z.array(experimentId).default([]) });

const mostRemembered = 50_000;
const largestAnswer = 67_108_864;
const patienceMilliseconds = 30_000;
/** MLflow takes so many at once. */
export const mostTraces = 500;

/**
 * Asks the tracking server, as the gateway, to which experiment things belong. Runs and logged models never change
 * theirs, so the answers are remembered; that there is none is not, since what is unknown now may be made. A trace's id
 * is its maker's to choose, and who begins it again elsewhere moves it: that is asked each time.
 * Throws `upstream_unreachable` where no answer is to be had, which is no answer.
 */
export class Lookups {
  readonly #proxied: Proxied;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #remembered = new RecentlyUsed<string, Located>(mostRemembered);

  constructor(proxied: Proxied, headers: Readonly<Record<string, string>>) {
    this.#proxied = proxied;
    this.#headers = headers;
  }

  run(id: string, asker: Asker): Promise<Located | null> {
    return this.#remember(`run ${id}`, async () => {
      const target = `/api/2.0/mlflow/runs/get?run_id=${encodeURIComponent(id)}`;
      const answer = await this.#ask('GET', target, runAnswer, asker);
      return answer === null ? null : located(answer.run.info);
    });
  }

  loggedModel(id: string, asker: Asker): Promise<Located | null> {
    if (!/^[\w-]{1,128}$/.test(id)) throw failure('invalid_request', 'That is not the id of a logged model.');
    return this.#remember(`model ${id}`, async () => {
      const answer = await this.#ask('GET', `/api/2.0/mlflow/logged-models/${id}`, modelAnswer, asker);
      return answer === null ? null : located(answer.model.info);
    });
  }

  /** In the order of the ids, each null where there is no such trace. */
  async traces(ids: readonly string[], asker: Asker): Promise<readonly (Located | null)[]> {
    if (ids.length > mostTraces) throw failure('invalid_request', `At most ${mostTraces} traces at once.`);
    if (!ids.every((id) => /^[\w-]{1,128}$/.test(id))) {
      throw failure('invalid_request', 'That is not the id of a trace.');
    }
    if (ids.length === 0) return [];
    const target = '/api/3.0/mlflow/traces/batchGetInfos';
    const answer = await this.#ask('POST', target, tracesAnswer, asker, { trace_ids: [...new Set(ids)] });
    const found = new Map(
      (answer?.trace_infos ?? []).map(({ trace_id: id, trace_location: where }) => [
        id,
        { experimentId: where.mlflow_experiment.experiment_id, artifactUri: null },
      ]),
    );
    return ids.map((id) => found.get(id) ?? null);
  }

  /** Never remembered: names change hands. */
  async experimentNamed(name: string, asker: Asker): Promise<string | null> {
    const target = `/api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
    return (await this.#ask('GET', target, experimentAnswer, asker))?.experiment.experiment_id ?? null;
  }

  /** The experiments that an evaluation dataset belongs to now. */
  async dataset(id: string, asker: Asker): Promise<readonly string[]> {
    if (!/^[\w-]{1,128}$/.test(id)) throw failure('invalid_request', 'That is not the id of a dataset.');
    const target = `/api/3.0/mlflow/datasets/${id}/experiment-ids`;
    return (await this.#ask('GET', target, datasetAnswer, asker))?.experiment_ids ?? [];
  }

  async #remember(key: string, ask: () => Promise<Located | null>): Promise<Located | null> {
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const found = await ask();
    if (found !== null) this.#remembered.set(key, found);
    return found;
  }

  /** Null for what MLflow does not know. */
  async #ask<T>(
    method: 'GET' | 'POST',
    target: string,
    schema: ZodType<T>,
    asker: Asker,
    json?: object,
  ): Promise<T | null> {
    const answer = await this.#proxied.ask(method, target, {
      headers: this.#headers,
      signal: AbortSignal.any([asker.signal, AbortSignal.timeout(patienceMilliseconds)]),
      caller: asker.caller,
      ...(json === undefined ? {} : { json }),
    });
    if (answer.statusCode === 404 || answer.statusCode === 400) {
      await drainBody(answer.body);
      return null;
    }
    if (answer.statusCode !== 200) {
      await drainBody(answer.body);
      throw unanswered(`it answered ${answer.statusCode}`);
    }
    try {
      return parseJson(await wholeBody(answer.whole ?? answer.body, largestAnswer), schema);
    } catch (cause) {
      throw unanswered('its answer is not to be understood', cause);
    }
  }
}

function located(info: { experiment_id: string; artifact_uri?: string | undefined }): Located {
  return { experimentId: info.experiment_id, artifactUri: info.artifact_uri ?? null };
}

function unanswered(why: string, cause?: unknown): LockstepError {
  return new LockstepError({
    code: 'upstream_unreachable',
    publicMessage: 'The tracking server did not say where this belongs, so it cannot be decided on.',
    internalMessage: `a question to the tracking server: ${why}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
