import { mlflowActions as actions } from '../actions.ts';
import { refuseReserved, stampModel, stampRun } from '../stamps.ts';
import { experimentsSearch, verifiedExperiment } from '../listings.ts';
import { row, twins, type MlflowRoute } from '../route.ts';
import {
  artifactInPath,
  artifactLocation,
  artifactsListed,
  experimentIn,
  experimentNamed,
  experimentsIn,
  linkedModels,
  loggedMetrics,
  loggedModel,
  runsIn,
  sourceRun,
  theRun,
  withPath,
} from '../touches.ts';

const { experiments, runs, artifacts } = actions;
const experiment = experimentIn('experiment_id');
const modelInPath = loggedModel(({ params }) => params['model_id'] ?? '');

const experimentRoutes = twins([
  row('POST', '/2.0/mlflow/experiments/create', experiments.write, {
    also: artifactLocation,
    stamp: refuseReserved('tags'),
  }),
  row('GET', '/2.0/mlflow/experiments/get', experiments.read, { places: experiment }),
  row('GET', '/2.0/mlflow/experiments/get-by-name', experiments.read, {
    places: experimentNamed,
    listing: verifiedExperiment,
  }),
  row('GET', '/2.0/mlflow/experiments/search', null, { listing: experimentsSearch }),
  row('POST', '/2.0/mlflow/experiments/search', null, { listing: experimentsSearch, effect: 'read' }),
  row('POST', '/2.0/mlflow/experiments/update', experiments.write, { places: experiment }),
  row('POST', '/2.0/mlflow/experiments/delete', experiments.delete, { places: experiment }),
  row('POST', '/2.0/mlflow/experiments/restore', experiments.write, { places: experiment }),
  row('POST', '/2.0/mlflow/experiments/set-experiment-tag', experiments.write, {
    places: experiment,
    stamp: refuseReserved('key'),
  }),
  row('POST', '/2.0/mlflow/experiments/delete-experiment-tag', experiments.write, {
    places: experiment,
    stamp: refuseReserved('key'),
  }),
]);

const runRoutes = twins([
  row('POST', '/2.0/mlflow/runs/create', runs.write, { places: experiment, stamp: stampRun }),
  row('GET', '/2.0/mlflow/runs/get', runs.read, { places: theRun }),
  row('POST', '/2.0/mlflow/runs/update', runs.write, { places: theRun }),
  row('POST', '/2.0/mlflow/runs/delete', runs.delete, { places: theRun }),
  row('POST', '/2.0/mlflow/runs/restore', runs.write, { places: theRun }),
  row('POST', '/2.0/mlflow/runs/search', runs.read, {
    places: experimentsIn('experiment_ids'),
    effect: 'read',
  }),
  row('POST', '/2.0/mlflow/runs/log-metric', runs.write, { places: loggedMetrics }),
  row('POST', '/2.0/mlflow/runs/log-parameter', runs.write, { places: theRun }),
  row('POST', '/2.0/mlflow/runs/log-batch', runs.write, {
    places: loggedMetrics,
    stamp: refuseReserved('tags'),
  }),
  row('POST', '/2.0/mlflow/runs/log-inputs', runs.write, { places: theRun, also: linkedModels }),
  row('POST', '/2.0/mlflow/runs/log-model', runs.write, { places: theRun }),
  row('POST', '/2.0/mlflow/runs/outputs', runs.write, { places: theRun, also: linkedModels }),
  row('POST', '/2.0/mlflow/runs/set-tag', runs.write, { places: theRun, stamp: refuseReserved('key') }),
  row('POST', '/2.0/mlflow/runs/delete-tag', runs.write, { places: theRun, stamp: refuseReserved('key') }),
  row('GET', '/2.0/mlflow/metrics/get-history', runs.read, { places: theRun }),
  row('GET', '/2.0/mlflow/metrics/get-history-bulk-interval', runs.read, { places: runsIn('run_ids') }),
]);

const artifactRoutes = [
  ...twins([
    row('GET', '/2.0/mlflow/artifacts/list', artifacts.read, { places: withPath(theRun) }),
    row('GET', '/2.0/mlflow-artifacts/artifacts', artifacts.read, { places: artifactsListed }),
    row('GET', '/2.0/mlflow-artifacts/artifacts/*', artifacts.read, { places: artifactInPath('read') }),
    row('PUT', '/2.0/mlflow-artifacts/artifacts/*', artifacts.write, {
      places: artifactInPath('write'),
      body: 'stream',
    }),
    row('DELETE', '/2.0/mlflow-artifacts/artifacts/*', artifacts.delete, {
      places: artifactInPath('write'),
      body: 'stream',
    }),
    ...['create', 'complete', 'abort'].map((step) =>
      row('POST', `/2.0/mlflow-artifacts/mpu/${step}/*`, artifacts.write, {
        places: artifactInPath('write'),
        body: 'stream',
      }),
    ),
  ]),
  row('GET', '/get-artifact', artifacts.read, { places: withPath(theRun) }),
  row('POST', '/ajax-api/2.0/mlflow/upload-artifact', artifacts.write, {
    places: withPath(theRun),
    body: 'stream',
  }),
  row('GET', '/ajax-api/2.0/mlflow/metrics/get-history-bulk', runs.read, { places: runsIn('run_id') }),
  row('POST', '/ajax-api/2.0/mlflow/experiments/search-datasets', runs.read, {
    places: experimentsIn('experiment_ids'),
    effect: 'read',
  }),
];

const loggedModelRoutes = [
  ...twins([
    row('POST', '/2.0/mlflow/logged-models', runs.write, {
      places: experiment,
      also: sourceRun,
      stamp: stampModel,
    }),
    row('POST', '/2.0/mlflow/logged-models/search', runs.read, {
      places: experimentsIn('experiment_ids'),
      effect: 'read',
    }),
    row('GET', '/2.0/mlflow/logged-models/:model_id', runs.read, { places: modelInPath }),
    row('PATCH', '/2.0/mlflow/logged-models/:model_id', runs.write, { places: modelInPath }),
    row('DELETE', '/2.0/mlflow/logged-models/:model_id', runs.delete, {
      places: modelInPath,
      body: 'stream',
    }),
    row('POST', '/2.0/mlflow/logged-models/:model_id/params', runs.write, { places: modelInPath }),
    row('PATCH', '/2.0/mlflow/logged-models/:model_id/tags', runs.write, {
      places: modelInPath,
      stamp: refuseReserved('tags'),
    }),
    row('DELETE', '/2.0/mlflow/logged-models/:model_id/tags/:tag_key', runs.write, {
      places: modelInPath,
      stamp: refuseReserved('tag_key'),
    }),
    row('GET', '/2.0/mlflow/logged-models/:model_id/artifacts/directories', artifacts.read, {
      places: withPath(modelInPath, 'artifact_directory_path'),
    }),
  ]),
  row('GET', '/ajax-api/2.0/mlflow/logged-models/:model_id/artifacts/files', artifacts.read, {
    places: withPath(modelInPath, 'artifact_file_path'),
  }),
];

export const trackingRoutes: readonly MlflowRoute[] = [
  ...experimentRoutes,
  ...runRoutes,
  ...artifactRoutes,
  ...loggedModelRoutes,
];
