import { failure } from '../../../lib/errors.ts';
import type { Params } from '../../routes.ts';
import type { RequestHead } from '../../types.ts';
import type { Asker } from '../web/proxied.ts';
import { mlflowActions as actions } from './actions.ts';
import { artifactPlace, checkRelativePath, isBeneath } from './artifact-paths.ts';
import { exportedTraceIds } from './exported-spans.ts';
import { member, stringIn } from './json-text.ts';
import type { Located, Lookups } from './lookups.ts';
import { everything, experimentPlace, modelPlace, wholeConnection, type MlflowPlace } from './places.ts';
import { protoNamed, type Values } from './values.ts';

/** One request, as far as it says what it touches. */
export interface Question {
  readonly head: RequestHead;
  readonly params: Params;
  readonly values: Values;
  /** The body, where it is read. */
  readonly bytes: Buffer;
  readonly lookups: Lookups;
  readonly asker: Asker;
}

/** All that a request touches with its route's action; never empty. */
export type Places = (question: Question) => Promise<readonly MlflowPlace[]>;

/** What a request touches besides, with another action. */
export interface Touch {
  readonly action: string;
  readonly place: MlflowPlace;
}
export type Touches = (question: Question) => Promise<readonly Touch[]>;

/** Where the experiment is not named, everything is meant. */
export function experimentIn(field: string): Places {
  return ({ values }) => {
    const id = values.one(field);
    return Promise.resolve([id === null ? everything : experimentPlace(id)]);
  };
}

export function experimentsIn(field: string): Places {
  return ({ values }) => {
    const ids = values.list(field);
    return Promise.resolve(ids.length === 0 ? [everything] : ids.map(experimentPlace));
  };
}

/** `locations` of a search for traces. */
export const experimentsInLocations: Places = ({ values }) => {
  const locations = member(values.root, 'locations');
  if (locations === null) return Promise.resolve([everything]);
  if (locations.kind !== 'array') throw failure('invalid_request', '`locations` must be an array.');
  const places = locations.items.map((location) => {
    const id = stringIn(member(namedExperiment(protoNamed(location)), 'experiment_id'));
    return id === null ? everything : experimentPlace(id);
  });
  return Promise.resolve(places.length === 0 ? [everything] : places);
};

export const experimentNamed: Places = async ({ values, lookups, asker }) => {
  const name = values.one('experiment_name');
  const id = name === null ? null : await lookups.experimentNamed(name, asker);
  return [id === null ? wholeConnection : experimentPlace(id)];
};

/** The run of `run_id`, or of `run_uuid`, its older name; who sends both must mean one. */
export const theRun: Places = async ({ values, lookups, asker }) => {
  const [id, old] = [values.one('run_id'), values.one('run_uuid')];
  if (id !== null && old !== null && id !== old) {
    throw failure('invalid_request', '`run_id` and `run_uuid` name two runs.');
  }
  return [await placeOfRun(id ?? old, lookups, asker)];
};

export function runsIn(field: string): Places {
  return async ({ values, lookups, asker }) => {
    const ids = [...new Set(values.list(field))];
    if (ids.length > 100) throw failure('invalid_request', `\`${field}\`: at most 100 runs at once.`);
    if (ids.length === 0) return [wholeConnection];
    return inBatches(ids, (id) => placeOfRun(id, lookups, asker));
  };
}

export function loggedModel(id: (question: Question) => string | null): Places {
  return async (question) => {
    const wanted = id(question);
    if (wanted === null) return [wholeConnection];
    return [placeOf(await question.lookups.loggedModel(wanted, question.asker))];
  };
}

export function traces(ids: (question: Question) => readonly string[]): Places {
  return async (question) => {
    const wanted = ids(question);
    if (wanted.length === 0) return [wholeConnection];
    return (await question.lookups.traces(wanted, question.asker)).map(placeOf);
  };
}

/**
 * A trace that is begun, in the experiment that it names. Its id is the caller's to choose, so if there is a trace of
 * that id it is touched too.
 */
export const begunTrace: Places = async ({ values, lookups, asker }) => {
  const info = protoNamed(member(protoNamed(member(values.root, 'trace')), 'trace_info'));
  const experiment = stringIn(
    member(namedExperiment(protoNamed(member(info, 'trace_location'))), 'experiment_id'),
  );
  const id = stringIn(member(info, 'trace_id'));
  const places = [experiment === null ? wholeConnection : experimentPlace(experiment)];
  const [known = null] = id === null ? [] : await lookups.traces([id], asker);
  return known === null ? places : [...places, placeOf(known)];
};

export function modelIn(field: string): Places {
  return ({ values }) => {
    const name = values.one(field);
    return Promise.resolve([name === null ? wholeConnection : modelPlace(name)]);
  };
}

/** Both names of a rename. */
export const renamedModel: Places = ({ values }) => {
  const names = ['name', 'new_name'].map((field) => values.one(field));
  return Promise.resolve(names.map((name) => (name === null ? wholeConnection : modelPlace(name))));
};

/** Every experiment that the dataset of the path belongs to. */
export const theDataset: Places = async ({ params, lookups, asker }) => {
  const ids = await lookups.dataset(params['dataset_id'] ?? '', asker);
  return ids.length === 0 ? [wholeConnection] : ids.map(experimentPlace);
};

/** The dataset, and the experiments that it is added to or taken from. */
export const datasetAndExperiments: Places = async (question) => [
  ...(await theDataset(question)),
  ...(await experimentsIn('experiment_ids')(question)),
];

/** The path after `/artifacts/` and the like. */
export function artifactInPath(use: 'read' | 'write'): Places {
  return ({ params }) => Promise.resolve([artifactPlace(params['*'] ?? '', use)]);
}

export const artifactsListed: Places = ({ values }) =>
  Promise.resolve([artifactPlace(values.one('path') ?? '', 'read')]);

/** Places of a request that also names a path beneath them. */
export function withPath(places: Places, field = 'path'): Places {
  return (question) => {
    checkRelativePath(question.values.one(field) ?? '');
    return places(question);
  };
}

/**
 * The experiment in the header of MLflow's exporters, the traces that spans are brought for, where there are such, and
 * the run that they are to be linked to.
 */
export const exportedTraces: Places = async ({ head, bytes, lookups, asker }) => {
  const experiment = head.headers['x-mlflow-experiment-id'];
  if (typeof experiment !== 'string') {
    throw failure(
      'invalid_request',
      'The header `x-mlflow-experiment-id` says which experiment the spans are of.',
    );
  }
  const ids = exportedTraceIds(bytes);
  const known = (await lookups.traces(ids, asker)).filter((trace) => trace !== null);
  const run = head.headers['x-mlflow-run-id'];
  return [
    experimentPlace(experiment),
    ...known.map(placeOf),
    ...(run === undefined ? [] : [await placeOfRun(String(run), lookups, asker)]),
  ];
};

/** The run, and the logged models whose metrics these are: a metric of a model is written to the model too. */
export const loggedMetrics: Places = async (question) => {
  const { values } = question;
  const ids = [values.one('model_id'), ...idsInItems(values, 'metrics', 'model_id')];
  return [...(await theRun(question)), ...(await modelsOf(question, ids))];
};

/** Logged models that a run names as what it used or made. */
export const linkedModels: Touches = async (question) => {
  const places = await modelsOf(question, idsInItems(question.values, 'models', 'model_id'));
  return places.map((place) => ({ action: actions.runs.read, place }));
};

/** The run that a logged model is said to come from. */
export const sourceRun: Touches = async ({ values, lookups, asker }) => {
  const id = values.one('source_run_id');
  return id === null ? [] : [{ action: actions.runs.read, place: await placeOfRun(id, lookups, asker) }];
};

/** An address of the caller's choice for an experiment's artifacts, which MLflow would then read and write. */
export const artifactLocation: Touches = ({ values }) => {
  const location = values.one('artifact_location');
  if (location === null) return Promise.resolve([]);
  if (!/^[a-z][a-z0-9+.-]*:/i.test(location) || /^(?:file|local):/i.test(location)) {
    throw failure('invalid_request', '`artifact_location` may not be on the disk of the tracking server.');
  }
  return Promise.resolve([{ action: actions.datastoreWrite, place: wholeConnection }]);
};

/**
 * What a version of a model is made of: it can be read through the version afterwards, so it must be readable for who
 * makes the version.
 */
export const modelSource: Touches = async ({ values, lookups, asker }) => {
  const [source, runId, modelId] = ['source', 'run_id', 'model_id'].map((field) => values.one(field));
  const run = runId === null || runId === undefined ? null : await lookups.run(runId, asker);
  const model = modelId === null || modelId === undefined ? null : await lookups.loggedModel(modelId, asker);
  const touches: Touch[] = [];
  if (runId !== null) touches.push({ action: actions.runs.read, place: placeOf(run) });
  if (modelId !== null) touches.push({ action: actions.runs.read, place: placeOf(model) });
  if (source === null || source === undefined || isPlaceholder(source)) return touches;
  const from = /^(?<scheme>[a-z][a-z0-9+.-]*):\/*(?<rest>.*)$/i.exec(source)?.groups;
  const rest = from?.['rest'] ?? '';
  if (/[%\\?#]/.test(source))
    throw failure('invalid_request', '`source` holds what no path of a model holds.');
  // Some servers pass over a host there, so that what stands behind it is the name.
  if (/^(?:runs|models):\/\/[^/]/i.test(source)) {
    throw failure('invalid_request', '`source` is another registry’s.');
  }
  const readable = (place: MlflowPlace): Touch => ({ action: actions.artifacts.read, place });
  switch (from?.['scheme']?.toLowerCase()) {
    case 'runs':
      return [...touches, readable(await placeOfRun(rest.split('/')[0] ?? '', lookups, asker))];
    case 'models': {
      const name = /^[^/@]*/.exec(rest)?.[0] ?? '';
      // `models:/m-…` is a logged model; `models:/name/1` and `models:/name@alias` are registered ones.
      if (/^m-[0-9a-f]{32}$/.test(rest)) {
        return [...touches, readable(placeOf(await lookups.loggedModel(rest, asker)))];
      }
      return [...touches, { action: actions.versions.read, place: modelPlace(name) }];
    }
    case 'mlflow-artifacts':
      return [...touches, readable(artifactPlace(pathOfArtifactUri(source), 'read'))];
    default: {
      const own = [run, model].find((known) => isBeneath(source, known?.artifactUri ?? null));
      if (own !== undefined) return [...touches, readable(placeOf(own))];
      return [...touches, { action: actions.datastoreWrite, place: wholeConnection }];
    }
  }
};

async function modelsOf(
  { lookups, asker }: Question,
  ids: readonly (string | null)[],
): Promise<MlflowPlace[]> {
  const wanted = [...new Set(ids)].filter((id) => id !== null && id !== '');
  if (wanted.length > 100) throw failure('invalid_request', 'At most 100 logged models at once.');
  return inBatches(wanted, async (id) => placeOf(await lookups.loggedModel(id ?? '', asker)));
}

/** The texts under a name in each item of an array of objects. */
function idsInItems(values: Values, array: string, name: string): (string | null)[] {
  const node = member(values.root, array);
  if (node === null) return [];
  if (node.kind !== 'array') throw failure('invalid_request', `\`${array}\` must be an array.`);
  return node.items.map((item) => {
    const value = member(protoNamed(item), name);
    if (value !== null && value.kind !== 'string') {
      throw failure('invalid_request', `\`${array}[].${name}\` must be a string.`);
    }
    return stringIn(value);
  });
}

/** With `mlflow-artifacts://host:port/path` the server is another, or this one; the path is judged alike. */
function pathOfArtifactUri(uri: string): string {
  return uri.replace(/^mlflow-artifacts:(?:\/\/[^/]*)?\/*/i, '');
}

/** What stands for a source in versions of prompts, which are text. */
function isPlaceholder(source: string): boolean {
  return ['prompt-template', 'dummy-source'].includes(source);
}

/** A run may weigh megabytes: what one request asks the server for at the same time is bounded. */
async function inBatches<T>(ids: readonly T[], ask: (id: T) => Promise<MlflowPlace>): Promise<MlflowPlace[]> {
  const places: MlflowPlace[] = [];
  for (let start = 0; start < ids.length; start += 8) {
    places.push(...(await Promise.all(ids.slice(start, start + 8).map(ask))));
  }
  return places;
}

/** Of a run that may not be named, or not be known. */
export async function placeOfRun(id: string | null, lookups: Lookups, asker: Asker): Promise<MlflowPlace> {
  return id === null || id === '' ? wholeConnection : placeOf(await lookups.run(id, asker));
}

/** What MLflow does not know could be anywhere, so it takes a right to everything to be told that. */
function placeOf(known: Located | null): MlflowPlace {
  return known === null ? wholeConnection : experimentPlace(known.experimentId);
}

function namedExperiment(location: ReturnType<typeof protoNamed>) {
  const named = member(location, 'mlflow_experiment');
  return named === null ? null : protoNamed(named);
}
