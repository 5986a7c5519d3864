/** A route of the tracking server that is known, and is refused to everybody. */
export interface DeniedRoute {
  readonly method: string;
  /** A prefix where it ends in `*`. */
  readonly path: string;
  readonly why: string;
}

/**
 * What the tracking server has and Lockstep does not let through, each with its reason. Nothing here is needed to deny:
 * what `mlflowRoutes` does not name is denied. It is the list against which a new version of MLflow is checked, so that
 * a route that nobody has thought about fails a test.
 */
export const deniedRoutes: readonly DeniedRoute[] = [
  ...['GET', 'POST', 'PATCH', 'PUT'].map((method) => ({
    method,
    path: '/ajax-api/3.0/mlflow/assistant/*',
    why: 'The assistant runs commands on the host of the tracking server.',
  })),
  ...['GET', 'POST'].map((method) => ({
    method,
    path: '/ajax-api/2.0/mlflow/gateway-proxy',
    why: 'It sends requests of the caller’s making to a server of the network’s inside.',
  })),
  {
    method: 'POST',
    path: '/gateway/proxy/*',
    why: 'It sends any request to a provider with the server’s secret; the routes with a protocol do not.',
  },
  {
    method: 'POST',
    path: '/ajax-api/2.0/mlflow/runs/create-promptlab-run',
    why: 'It makes a run whose owner the caller chooses; runs are made with runs/create.',
  },
  ...['/api', '/ajax-api'].flatMap((api) => [
    ...['download', 'upload'].map((way) => ({
      method: 'POST',
      path: `${api}/2.0/mlflow/artifacts/presigned-${way}-url`,
      why: 'A presigned address goes round policy and log; clients fall back to the server.',
    })),
    {
      method: 'GET',
      path: `${api}/2.0/mlflow-artifacts/presigned/*`,
      why: 'A presigned address goes round policy and log; clients fall back to the server.',
    },
    { method: 'GET', path: `${api}/2.0/mlflow/get-online-trace-details`, why: 'MLflow has not made it.' },
    { method: 'GET', path: `${api}/2.0/mlflow/unified-traces`, why: 'MLflow has not made it.' },
    { method: 'POST', path: `${api}/2.0mlflow/experiments/search-datasets`, why: 'MLflow has not made it.' },
  ]),
  ...['generate', 'delete'].map((verb) => ({
    method: 'POST',
    path: `/ajax-api/3.0/mlflow/demo/${verb}`,
    why: 'Demonstration data has no owner.',
  })),
  {
    method: 'POST',
    path: '/ajax-api/3.0/mlflow/ui-telemetry',
    why: 'It sends what people do to a third party.',
  },
  {
    method: 'GET',
    path: '/graphql',
    why: 'A query in an address is a query in a log; it is sent with POST.',
  },
  { method: 'GET', path: '/build/*', why: 'Flask’s own folder; the page’s files are in /static-files.' },
];

export function deniedRoute(method: string, path: string): DeniedRoute | null {
  const asked = method === 'HEAD' ? 'GET' : method;
  const covers = (route: DeniedRoute) =>
    route.path.endsWith('*') ? path.startsWith(route.path.slice(0, -1)) : path === route.path;
  return deniedRoutes.find((route) => route.method === asked && covers(route)) ?? null;
}
