import { describe, expect, it } from 'vitest';
import { newRequestId } from '../lib/ids.ts';
import { routeTable } from './route-table.ts';
import { actionGuard, route } from './testing/things-surface.ts';
import type { RequestHead } from './types.ts';

function head(method: string, path: string): RequestHead {
  return {
    id: newRequestId(0),
    method,
    host: 'localhost',
    authority: 'localhost',
    path,
    rawQuery: '',
    query: new URLSearchParams(),
    headers: {},
    remoteAddress: '',
    origin: 'https://localhost',
    upgrade: null,
    hasBody: false,
  };
}

const byName = route({
  method: 'GET',
  path: '/Subscriptions/:name/things',
  guard: (params) => actionGuard('x/read', `/subscriptions/${params['name']}`),
});

function scopeOf(find: ReturnType<typeof routeTable>, path: string, method = 'GET'): string | null {
  const found = find(head(method, path));
  return found?.guard.kind === 'action' ? found.guard.access.scope : null;
}

describe('routeTable', () => {
  it('compares with case unless told otherwise, and leaves the case of values alone', () => {
    expect(scopeOf(routeTable([byName]), '/subscriptions/AbC/things')).toBeNull();
    const find = routeTable([byName], { caseInsensitive: true });
    expect(scopeOf(find, '/SUBSCRIPTIONS/AbC/THINGS')).toBe('/subscriptions/AbC');
  });

  it.each([
    ['a%20b', 'a b'],
    ['a%2520b', 'a%20b'],
    ['%E2%82%AC', '€'],
    ['a;b=c', 'a;b=c'],
    ['a+b', 'a+b'],
    ['a%3Fb%23c', 'a?b#c'],
    ['__proto__', '__proto__'],
  ])('decodes the value %s once', (sent, value) => {
    for (const caseInsensitive of [false, true]) {
      const find = routeTable([byName], { caseInsensitive });
      expect(scopeOf(find, `/Subscriptions/${sent}/things`)).toBe(`/subscriptions/${value}`);
    }
  });

  it('knows no route for another path, a trailing slash, or an empty value', () => {
    const find = routeTable([byName]);
    for (const path of [
      '/',
      '/Subscriptions',
      '/Subscriptions/a/things/',
      '/Subscriptions//things',
      '/Subscriptions/a',
    ]) {
      expect(find(head('GET', path))).toBeNull();
    }
  });

  it('answers HEAD by the GET route, and no other method by another', () => {
    const find = routeTable([byName, route({ method: 'PUT', path: '/Subscriptions/:name/things' })]);
    expect(scopeOf(find, '/Subscriptions/a/things', 'HEAD')).toBe('/subscriptions/a');
    expect(() => find(head('DELETE', '/Subscriptions/a/things'))).toThrow(
      expect.objectContaining({ code: 'method_not_allowed', details: { allow: ['GET', 'PUT'] } }) as Error,
    );
    expect(find(head('DELETE', '/elsewhere'))).toBeNull();
  });

  it.each([
    ['two routes of one method and path', [byName, byName], /already declared/],
    ['a path without its slash', [route({ method: 'GET', path: 'x' })], /slash/],
    [
      'a GET with a body',
      [route({ method: 'GET', path: '/x', body: { kind: 'streamed', maxBytes: 1 } })],
      /takes no body/,
    ],
    [
      'a body without a bound',
      [route({ method: 'PUT', path: '/x', body: { kind: 'streamed', maxBytes: Number.NaN } })],
      /bound/,
    ],
    [
      'a buffered body of any kind',
      [route({ method: 'PUT', path: '/x', body: { kind: 'buffered', maxBytes: 1, mediaTypes: [] } })],
      /media types/,
    ],
  ])('refuses %s when it is made', (_, routes, message) => {
    expect(() => routeTable(routes)).toThrow(message);
  });
});
