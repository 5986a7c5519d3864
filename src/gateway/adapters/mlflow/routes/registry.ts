import { mlflowActions as actions } from '../actions.ts';
import { modelsSearch, versionsSearch } from '../listings.ts';
import { row, twins, type MlflowRoute } from '../route.ts';
import { refuseReserved } from '../stamps.ts';
import { modelIn, modelSource, renamedModel, withPath } from '../touches.ts';

const { models, versions } = actions;
const model = modelIn('name');

/** Registered models and prompts, which MLflow keeps in the same tables and behind the same routes. */
export const registryRoutes: readonly MlflowRoute[] = [
  ...twins([
    row('POST', '/2.0/mlflow/registered-models/create', models.write, {
      places: model,
      stamp: refuseReserved('tags'),
    }),
    row('GET', '/2.0/mlflow/registered-models/get', models.read, { places: model }),
    row('GET', '/2.0/mlflow/registered-models/search', null, { listing: modelsSearch }),
    row('POST', '/2.0/mlflow/registered-models/rename', models.write, { places: renamedModel }),
    row('PATCH', '/2.0/mlflow/registered-models/update', models.write, { places: model }),
    row('DELETE', '/2.0/mlflow/registered-models/delete', models.delete, { places: model }),
    row('GET', '/2.0/mlflow/registered-models/get-latest-versions', versions.read, { places: model }),
    row('POST', '/2.0/mlflow/registered-models/get-latest-versions', versions.read, {
      places: model,
      effect: 'read',
    }),
    row('POST', '/2.0/mlflow/registered-models/set-tag', models.write, {
      places: model,
      stamp: refuseReserved('key'),
    }),
    row('DELETE', '/2.0/mlflow/registered-models/delete-tag', models.write, {
      places: model,
      stamp: refuseReserved('key'),
    }),
    row('GET', '/2.0/mlflow/registered-models/alias', versions.read, { places: model }),
    row('POST', '/2.0/mlflow/registered-models/alias', models.write, { places: model }),
    row('DELETE', '/2.0/mlflow/registered-models/alias', models.write, { places: model }),
    row('POST', '/2.0/mlflow/model-versions/create', versions.write, {
      places: model,
      also: modelSource,
      stamp: refuseReserved('tags'),
    }),
    row('GET', '/2.0/mlflow/model-versions/get', versions.read, { places: model }),
    row('GET', '/2.0/mlflow/model-versions/get-download-uri', versions.read, { places: model }),
    row('GET', '/2.0/mlflow/model-versions/search', null, { listing: versionsSearch }),
    row('PATCH', '/2.0/mlflow/model-versions/update', versions.write, { places: model }),
    row('POST', '/2.0/mlflow/model-versions/transition-stage', versions.write, { places: model }),
    row('DELETE', '/2.0/mlflow/model-versions/delete', versions.delete, { places: model }),
    row('POST', '/2.0/mlflow/model-versions/set-tag', versions.write, {
      places: model,
      stamp: refuseReserved('key'),
    }),
    row('DELETE', '/2.0/mlflow/model-versions/delete-tag', versions.write, {
      places: model,
      stamp: refuseReserved('key'),
    }),
  ]),
  row('GET', '/model-versions/get-artifact', versions.read, { places: withPath(model) }),
];
