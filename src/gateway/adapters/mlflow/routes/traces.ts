import { mlflowActions as actions } from '../actions.ts';
import { row, twins, type MlflowRoute } from '../route.ts';
import { refuseReserved, stampTrace, stampTraceV2 } from '../stamps.ts';
import {
  begunTrace,
  experimentIn,
  experimentsIn,
  experimentsInLocations,
  exportedTraces,
  theRun,
  traces,
  withPath,
} from '../touches.ts';

const { runs, artifacts } = actions;
const inPath = traces(({ params }) => [params['trace_id'] ?? '']);
const listed = traces(({ values }) => values.list('trace_ids'));
const named = (field: string) =>
  traces(({ values }) => {
    const id = values.one(field);
    return id === null ? [] : [id];
  });
const assessments = '/3.0/mlflow/traces/:trace_id/assessments';

export const traceRoutes: readonly MlflowRoute[] = [
  ...twins([
    row('POST', '/2.0/mlflow/traces', runs.write, {
      places: experimentIn('experiment_id'),
      stamp: stampTraceV2,
    }),
    row('GET', '/2.0/mlflow/traces', runs.read, { places: experimentsIn('experiment_ids') }),
    row('PATCH', '/2.0/mlflow/traces/:trace_id', runs.write, {
      places: inPath,
      stamp: refuseReserved('tags', 'request_metadata'),
    }),
    row('GET', '/2.0/mlflow/traces/:trace_id/info', runs.read, { places: inPath }),
    ...['2.0', '3.0'].flatMap((version) => [
      row('PATCH', `/${version}/mlflow/traces/:trace_id/tags`, runs.write, {
        places: inPath,
        stamp: refuseReserved('key'),
      }),
      row('DELETE', `/${version}/mlflow/traces/:trace_id/tags`, runs.write, {
        places: inPath,
        stamp: refuseReserved('key'),
      }),
      row('POST', `/${version}/mlflow/traces/delete-traces`, runs.delete, {
        places: experimentIn('experiment_id'),
      }),
    ]),
    row('POST', '/2.0/mlflow/traces/link-to-run', runs.write, {
      places: async (question) => [...(await theRun(question)), ...(await listed(question))],
    }),
    row('POST', '/2.0/mlflow/traces/link-prompts', runs.write, { places: named('trace_id') }),
    row('POST', '/3.0/mlflow/traces', runs.write, { places: begunTrace, stamp: stampTrace }),
    row('GET', '/3.0/mlflow/traces/:trace_id', runs.read, { places: inPath }),
    row('GET', '/3.0/mlflow/traces/get', runs.read, { places: named('trace_id') }),
    row('GET', '/3.0/mlflow/traces/batchGet', runs.read, { places: listed }),
    row('POST', '/3.0/mlflow/traces/batchGetInfos', runs.read, { places: listed, effect: 'read' }),
    row('POST', '/3.0/mlflow/traces/search', runs.read, { places: experimentsInLocations, effect: 'read' }),
    row('POST', '/3.0/mlflow/traces/metrics', runs.read, {
      places: experimentsIn('experiment_ids'),
      effect: 'read',
    }),
    row('POST', '/3.0/mlflow/traces/calculate-filter-correlation', runs.read, {
      places: experimentsIn('experiment_ids'),
      effect: 'read',
    }),
    row('POST', assessments, runs.write, { places: inPath }),
    row('GET', `${assessments}/:assessment_id`, runs.read, { places: inPath }),
    row('PATCH', `${assessments}/:assessment_id`, runs.write, { places: inPath }),
    row('DELETE', `${assessments}/:assessment_id`, runs.write, { places: inPath }),
  ]),
  ...['2.0', '3.0'].map((version) =>
    row('GET', `/ajax-api/${version}/mlflow/get-trace-artifact`, artifacts.read, {
      places: withPath(named('request_id')),
    }),
  ),
  row('POST', '/v1/traces', runs.write, { places: exportedTraces, body: 'protobuf' }),
];
