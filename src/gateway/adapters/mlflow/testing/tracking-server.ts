import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

const search = z.looseObject({
  max_results: z.coerce.number().default(3),
  page_token: z.string().default(''),
});

/**
 * A tracking server as far as the adapter asks it: experiments with numbers for ids, runs, logged models, traces and
 * datasets that know theirs, searches in pages. Everything else is answered with `{}`. Not found is 404 with
 * RESOURCE_DOES_NOT_EXIST, as MLflow has it.
 */
export class FakeTrackingServer {
  readonly server: Server;
  readonly seen: Seen[] = [];
  /** Experiment ids by name. */
  readonly experiments = new Map<string, string>();
  /** Experiment ids by id of the thing. */
  readonly runs = new Map<string, string>();
  readonly loggedModels = new Map<string, string>();
  readonly traces = new Map<string, string>();
  readonly datasets = new Map<string, readonly string[]>();
  models: readonly string[] = [];
  /** Answers instead, where it returns true. */
  instead: (seen: Seen, response: ServerResponse) => boolean = () => false;

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const seen: Seen = {
          method: request.method ?? '',
          url: request.url ?? '',
          headers: request.headers,
          rawHeaders: request.rawHeaders,
          body: Buffer.concat(chunks).toString('utf8'),
        };
        this.seen.push(seen);
        if (!this.instead(seen, response)) this.#answer(seen, response);
      });
    });
  }

  static async start(): Promise<FakeTrackingServer> {
    const fake = new FakeTrackingServer();
    await new Promise((resolve) => fake.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    return fake;
  }

  get origin(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the server is not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  /** What came for a caller, as opposed to what the gateway asked of its own account. */
  get forwarded(): readonly Seen[] {
    return this.seen.filter(({ headers }) => headers['x-lockstep-assertion'] !== undefined);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(() => resolve(undefined)));
  }

  #answer(seen: Seen, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(seen.url, 'http://mlflow');
    const path = pathname.replace(/^\/(?:ajax-)?api\/[23]\.0/, '');
    const found = (value: object | null) => {
      response.writeHead(value === null ? 404 : 200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(value ?? { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'It does not exist.' }),
      );
    };
    const isJson = seen.headers['content-type'] === 'application/json' && seen.body.startsWith('{');
    const asked: unknown =
      seen.method === 'GET' ? Object.fromEntries(searchParams) : isJson ? JSON.parse(seen.body) : {};
    switch (path) {
      case '/mlflow/runs/get': {
        const id = searchParams.get('run_id') ?? searchParams.get('run_uuid') ?? '';
        const experiment = this.runs.get(id);
        const info = {
          run_id: id,
          experiment_id: experiment,
          artifact_uri: `s3://bucket/${experiment}/${id}/artifacts`,
        };
        return found(experiment === undefined ? null : { run: { info, data: {} } });
      }
      case '/mlflow/experiments/get-by-name': {
        const id = this.experiments.get(searchParams.get('experiment_name') ?? '');
        return found(id === undefined ? null : { experiment: { experiment_id: id } });
      }
      case '/mlflow/traces/batchGetInfos': {
        const ids = z.object({ trace_ids: z.array(z.string()) }).parse(asked).trace_ids;
        const infos = ids.flatMap((id) => {
          const experiment = this.traces.get(id);
          const where = { mlflow_experiment: { experiment_id: experiment } };
          return experiment === undefined ? [] : [{ trace_id: id, trace_location: where }];
        });
        return found({ trace_infos: infos });
      }
      case '/mlflow/experiments/search':
        return found(
          this.#page(
            'experiments',
            [...this.experiments].map(([name, id]) => ({ experiment_id: id, name })),
            asked,
          ),
        );
      case '/mlflow/registered-models/search':
        return found(
          this.#page(
            'registered_models',
            this.models.map((name) => ({ name })),
            asked,
          ),
        );
      case '/mlflow/model-versions/search':
        return found(
          this.#page(
            'model_versions',
            this.models.map((name) => ({ name, version: '1' })),
            asked,
          ),
        );
      case '/mlflow/datasets/search': {
        const items = [...this.datasets].map(([id, ids]) => ({ dataset_id: id, experiment_ids: ids }));
        return found(this.#page('datasets', items, asked));
      }
      default: {
        const model = /^\/mlflow\/logged-models\/([^/]+)$/.exec(path)?.[1];
        if (model !== undefined && seen.method === 'GET') {
          const experiment = this.loggedModels.get(model);
          return found(experiment === undefined ? null : { model: { info: { experiment_id: experiment } } });
        }
        const dataset = /^\/mlflow\/datasets\/([^/]+)\/experiment-ids$/.exec(path)?.[1];
        if (dataset !== undefined) {
          const ids = this.datasets.get(dataset);
          return found(ids === undefined ? null : { experiment_ids: ids });
        }
        return found({});
      }
    }
  }

  #page(name: string, items: readonly object[], asked: unknown): object {
    const { max_results: count, page_token: token } = search.parse(asked);
    const start = token === '' ? 0 : Number(token);
    const next = start + count < items.length ? { next_page_token: String(start + count) } : {};
    return { [name]: items.slice(start, start + count), ...next };
  }
}
