import { describe, expect, test } from 'vitest';
import { compileRules, type WebRule } from './rules.ts';

const read: WebRule = { methods: ['GET'], path: '/api/*', action: 'Contoso.Tracker/things/read' };
const manage: WebRule = { methods: ['GET'], path: '/api/admin', action: 'Contoso.Tracker/admin/read' };
const below: WebRule = { methods: ['GET'], path: '/api/admin/*', action: 'Contoso.Tracker/admin/read' };

describe('a path that the upstream may read as another', () => {
  const find = compileRules([read, manage, below]);

  test.each([
    '/api/admin;x',
    '/api/admin;x/users',
    '/api;v=1/admin',
    '/api/;/admin/users',
    '/api/admin%3bx/users',
    '/api/ADMIN',
    '/api/Admin/users',
    '/api/Admin/',
    '/api/admin;/',
  ])('%s is under no rule: a wildcard does not hide the narrower rule', (path) => {
    expect(find('GET', path)).toBeNull();
  });

  test('a slash at the end is no way around a rule for the path without it', () => {
    const exact = compileRules([read, manage]);
    expect(exact('GET', '/api/admin')).toBe(manage);
    expect(exact('GET', '/api/admin/')).toBeNull();
    const slashed = compileRules([read, { ...manage, path: '/api/admin/' }]);
    expect(slashed('GET', '/api/admin')).toBeNull();
  });

  test.each([
    '/api/m%3Apredict',
    '/api/m%3apredict/',
    '/api/M%3APREDICT',
    '/api/m:predict;x',
    '/api/%40team/x',
  ])('%s is under no rule: servers decode what the router leaves encoded', (path) => {
    const predict = { ...manage, path: '/api/m::predict' };
    const team = { ...manage, path: '/api/@team/*' };
    const finds = compileRules([read, predict, team]);
    expect(finds('GET', '/api/m:predict')).toBe(predict);
    expect(finds('GET', '/api/@team/x')).toBe(team);
    expect(finds('GET', path)).toBeNull();
  });

  test.each<[string, WebRule]>([
    ['/api/runs', read],
    ['/api/m%3Apredict', read],
    ['/api/a%2Bb%26c', read],
    ['/api/runs;page=2', read],
    ['/api/Runs/', read],
    ['/api/', read],
    ['/api/admin', manage],
    ['/api/admin/users', below],
  ])('%s has its rule', (path, rule) => {
    expect(find('GET', path)).toBe(rule);
  });
});

test('rules that differ in case alone stay apart where their operation is one, and hide each other where not', () => {
  const upper = { ...read, path: '/API/*' };
  expect(compileRules([read, upper])('GET', '/API/x')).toBe(upper);
  const other = { ...upper, action: 'Contoso.Tracker/things/write' };
  expect(compileRules([read, other])('GET', '/API/x')).toBeNull();
});

test('verbs of one thing are rules of their own', () => {
  const verbs = ['predict', 'unload'].map((verb) => ({
    ...read,
    path: `/api/m::${verb}`,
    action: `Contoso.Tracker/models/${verb}/action`,
  }));
  const find = compileRules([read, ...verbs]);
  expect(['/api/m:predict', '/api/m:unload'].map((path) => find('GET', path))).toEqual(verbs);
  expect(find('GET', '/api/M:UNLOAD')).toBeNull();
});
