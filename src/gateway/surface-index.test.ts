import fc from 'fast-check';
import { expect, it } from 'vitest';
import { newRequestId } from '../lib/ids.ts';
import { genericSurface } from './denial/generic-surface.ts';
import { indexSurfaces } from './surface-index.ts';
import type { RequestHead, Surface } from './types.ts';

function headOf(host: string, path: string): RequestHead {
  return {
    id: newRequestId(0),
    method: 'GET',
    host,
    authority: host,
    path,
    rawQuery: '',
    query: new URLSearchParams(),
    headers: {},
    remoteAddress: '',
    origin: `https://${host}`,
    upgrade: null,
    hasBody: false,
  };
}

function connection(name: string): Surface {
  const at = { host: `${name}.localhost`, pathPrefix: `/connections/${name}` };
  return {
    ...genericSurface,
    name,
    at,
    matches: ({ host, path }) =>
      host === at.host || (host === 'localhost' && path.startsWith(`${at.pathPrefix}/`)),
  };
}

const names = ['a', 'b', 'c', 'a-b'];
const service = (prefix: string): Surface => ({
  ...genericSurface,
  name: prefix,
  matches: ({ path }) => path.startsWith(prefix),
});

it('finds what asking each surface in turn would find', () => {
  const surface = fc.oneof(
    fc.constantFrom(...names).map(connection),
    fc.constantFrom('/', '/connections', '/connections/a/', '/.lockstep').map(service),
  );
  const head = fc.record({
    host: fc.constantFrom('localhost', ...names.map((name) => `${name}.localhost`)),
    path: fc.constantFrom(
      '/',
      '/connections',
      '/connections/a',
      ...names.map((name) => `/connections/${name}/x/y`),
      '/.lockstep/x',
    ),
  });
  fc.assert(
    fc.property(fc.array(surface, { maxLength: 8 }), head, (surfaces, { host, path }) => {
      const asked = headOf(host, path);
      expect(indexSurfaces(surfaces)(asked)).toBe(surfaces.find((one) => one.matches(asked)));
    }),
  );
});

it('asks no connection but those that a request can be for', () => {
  let asked = 0;
  const many = Array.from({ length: 10_000 }, (_, i) => {
    const made = connection(`c${i}`);
    return { ...made, matches: (head: RequestHead) => (asked++, made.matches(head)) };
  });
  const find = indexSurfaces(many);
  expect(find(headOf('localhost', '/connections/c9999/x'))?.name).toBe('c9999');
  expect(find(headOf('c5000.localhost', '/'))?.name).toBe('c5000');
  expect(find(headOf('localhost', '/elsewhere'))).toBeUndefined();
  expect(asked).toBe(2);
});
