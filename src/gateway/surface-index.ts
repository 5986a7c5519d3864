import type { RequestHead, Surface } from './types.ts';

/**
 * The first surface that matches a request, without asking each of ten thousand connections: those that say where they
 * are (`Surface.at`) are looked up by the host and by the first two segments of the path; the others are asked in turn.
 */
export function indexSurfaces(surfaces: readonly Surface[]): (head: RequestHead) => Surface | undefined {
  const rank = new Map(surfaces.map((surface, index) => [surface, index]));
  const anywhere = surfaces.filter(({ at }) => at === undefined);
  const byHost = new Map<string, Surface[]>();
  const byPrefix = new Map<string, Surface[]>();
  for (const surface of surfaces) {
    if (surface.at === undefined) continue;
    add(byHost, surface.at.host, surface);
    add(byPrefix, surface.at.pathPrefix, surface);
  }
  return (head) => {
    const places = [...(byHost.get(head.host) ?? []), ...(byPrefix.get(prefixOf(head.path)) ?? [])];
    let first = anywhere.find((surface) => surface.matches(head));
    for (const surface of places) {
      const isBefore = first === undefined || (rank.get(surface) ?? 0) < (rank.get(first) ?? 0);
      if (isBefore && surface.matches(head)) first = surface;
    }
    return first;
  };
}

function add(index: Map<string, Surface[]>, key: string, surface: Surface): void {
  const others = index.get(key);
  if (others === undefined) index.set(key, [surface]);
  else others.push(surface);
}

/** `/connections/grafana` of `/connections/grafana/api`; the whole of a path with fewer segments. */
function prefixOf(path: string): string {
  const second = path.indexOf('/', 1);
  if (second < 0) return path;
  const end = path.indexOf('/', second + 1);
  return end < 0 ? path : path.slice(0, end);
}
