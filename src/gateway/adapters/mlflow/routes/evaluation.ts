import { mlflowActions as actions } from '../actions.ts';
import { datasetsSearch } from '../listings.ts';
import { refuseReserved, refuseReservedWithin, stampDataset } from '../stamps.ts';
import { row, twins, type MlflowRoute } from '../route.ts';
import { datasetAndExperiments, experimentIn, experimentsIn, theDataset } from '../touches.ts';

const { runs, datasets, jobs } = actions;
const experiment = experimentIn('experiment_id');
const dataset = '/3.0/mlflow/datasets/:dataset_id';

const datasetRoutes = twins([
  row('POST', '/3.0/mlflow/datasets/create', datasets.write, {
    places: experimentsIn('experiment_ids'),
    stamp: stampDataset,
  }),
  row('GET', '/3.0/mlflow/datasets/search', null, { listing: datasetsSearch }),
  row('POST', '/3.0/mlflow/datasets/search', null, { listing: datasetsSearch, effect: 'read' }),
  row('GET', dataset, datasets.read, { places: theDataset }),
  row('DELETE', dataset, datasets.delete, { places: theDataset }),
  row('GET', `${dataset}/experiment-ids`, datasets.read, { places: theDataset }),
  row('GET', `${dataset}/records`, datasets.read, { places: theDataset }),
  row('POST', `${dataset}/records`, datasets.write, { places: theDataset, body: 'stream' }),
  row('DELETE', `${dataset}/records`, datasets.write, { places: theDataset }),
  row('PATCH', `${dataset}/tags`, datasets.write, { places: theDataset, stamp: refuseReservedWithin }),
  row('DELETE', `${dataset}/tags/:key`, datasets.write, { places: theDataset, stamp: refuseReserved('key') }),
  row('POST', `${dataset}/add-experiments`, datasets.write, { places: datasetAndExperiments }),
  row('POST', `${dataset}/remove-experiments`, datasets.write, { places: datasetAndExperiments }),
]);

/** What belongs to an experiment where the request names it, and to the whole connection where it names an id only. */
const reviewRoutes = twins([
  row('POST', '/3.0/mlflow/scorers/register', runs.write, { places: experiment }),
  row('GET', '/3.0/mlflow/scorers/list', runs.read, { places: experiment }),
  row('GET', '/3.0/mlflow/scorers/get', runs.read, { places: experiment }),
  row('GET', '/3.0/mlflow/scorers/versions', runs.read, { places: experiment }),
  row('DELETE', '/3.0/mlflow/scorers/delete', runs.delete, { places: experiment }),
  row('GET', '/3.0/mlflow/scorers/online-configs', runs.read, { everything: true }),
  row('POST', '/3.0/mlflow/label-schemas/create', runs.write, { places: experiment }),
  row('GET', '/3.0/mlflow/label-schemas/get', runs.read, { everything: true }),
  row('GET', '/3.0/mlflow/label-schemas/get-by-name', runs.read, { places: experiment }),
  row('GET', '/3.0/mlflow/label-schemas/list', runs.read, { places: experiment }),
  row('PATCH', '/3.0/mlflow/label-schemas/update', runs.write, { everything: true }),
  row('DELETE', '/3.0/mlflow/label-schemas/delete', runs.delete, { everything: true }),
  row('POST', '/3.0/mlflow/issues', runs.write, { places: experiment }),
  row('POST', '/3.0/mlflow/issues/search', runs.read, { places: experiment, effect: 'read' }),
  row('GET', '/3.0/mlflow/issues/:issue_id', runs.read, { everything: true }),
  row('PATCH', '/3.0/mlflow/issues/:issue_id', runs.write, { everything: true }),
  row('POST', '/3.0/mlflow/review-queues/create', runs.write, { places: experiment }),
  row('GET', '/3.0/mlflow/review-queues/get', runs.read, { everything: true }),
  row('GET', '/3.0/mlflow/review-queues/get-by-name', runs.read, { places: experiment }),
  row('GET', '/3.0/mlflow/review-queues/list', runs.read, { places: experiment }),
  row('GET', '/3.0/mlflow/review-queues/items/list', runs.read, { everything: true }),
  ...['delete', 'get-or-create-user', 'items/add', 'items/remove', 'items/set-status', 'update'].map((verb) =>
    row('POST', `/3.0/mlflow/review-queues/${verb}`, runs.write, { everything: true }),
  ),
]);

/** What runs on the server with the server's own secrets, or is scheduled to: a right to the whole connection. */
const jobRoutes = [
  ...twins([
    row('PUT', '/3.0/mlflow/scorers/online-config', jobs.write, { everything: true }),
    row('POST', '/3.0/mlflow/prompt-optimization/jobs', jobs.write, { everything: true }),
    row('GET', '/3.0/mlflow/prompt-optimization/jobs/search', jobs.read, { everything: true }),
    row('POST', '/3.0/mlflow/prompt-optimization/jobs/search', jobs.read, {
      everything: true,
      effect: 'read',
    }),
    row('GET', '/3.0/mlflow/prompt-optimization/jobs/:job_id', jobs.read, { everything: true }),
    row('DELETE', '/3.0/mlflow/prompt-optimization/jobs/:job_id', jobs.delete, { everything: true }),
    row('POST', '/3.0/mlflow/prompt-optimization/jobs/:job_id/cancel', jobs.cancel, { everything: true }),
  ]),
  row('POST', '/ajax-api/3.0/mlflow/scorer/invoke', jobs.write, { everything: true }),
  row('POST', '/ajax-api/3.0/mlflow/genai/evaluate/invoke', jobs.write, { everything: true }),
  row('POST', '/ajax-api/3.0/mlflow/issues/invoke', jobs.write, { everything: true }),
  row('GET', '/ajax-api/3.0/mlflow/jobs/:job_id', jobs.read, { everything: true }),
  row('PATCH', '/ajax-api/3.0/mlflow/jobs/cancel/:job_id', jobs.cancel, { everything: true }),
  row('POST', '/ajax-api/3.0/jobs/', jobs.write, { everything: true }),
  row('POST', '/ajax-api/3.0/jobs/search', jobs.read, { everything: true, effect: 'read' }),
  row('GET', '/ajax-api/3.0/jobs/:job_id', jobs.read, { everything: true }),
  row('PATCH', '/ajax-api/3.0/jobs/cancel/:job_id', jobs.cancel, { everything: true }),
];

export const evaluationRoutes: readonly MlflowRoute[] = [...datasetRoutes, ...reviewRoutes, ...jobRoutes];
