import { expect, test } from 'vitest';
import { compileRules } from '../gateway/adapters/web/rules.ts';
import { ruleProblems } from './rule-problems.ts';

const rule = {
  methods: ['GET' as const],
  path: '/api/*',
  action: 'Contoso.Lab/pages/read',
  dataAction: false,
  upgrade: undefined,
};
const post = { ...rule, methods: ['POST' as const] };

test.each<[string, Parameters<typeof ruleProblems>[0], string, RegExp]>([
  ['an expression', [{ ...rule, path: '/a/:b(x)' }], '0.path', /no expressions/],
  ['a star within', [rule, { ...rule, path: '/a/*/b' }], '1.path', /at its end alone/],
  ['two stars', [{ ...rule, path: '/a/**' }], '0.path', /at its end alone/],
  ['a verb behind a name', [{ ...rule, path: '/models/:name:predict' }], '0.path', /`:` of its own doubled/],
  ['one that is escaped', [{ ...rule, path: '/models/:name::predict' }], '0.path', /`:` of its own doubled/],
  ['a query', [{ ...rule, path: '/a?b=1' }], '0.path', /without `\?`/],
  ['a WebSocket by POST', [{ ...post, upgrade: 'websocket' as const }], '0.upgrade', /opened by GET/],
  [
    'what an earlier rule has',
    [
      { ...rule, path: '/a/:b' },
      { ...rule, methods: ['POST' as const, 'GET' as const], path: '/a/:c' },
    ],
    '1',
    /another rule before it has GET \/a\/:c/,
  ],
])(
  '%s is told, of the rule that has it, and is what the gateway would not serve',
  (_what, rules, path, message) => {
    expect(ruleProblems(rules, 'rules')).toEqual([
      { path: `rules.${path}`, message: expect.stringMatching(message) as unknown },
    ]);
    expect(() => compileRules(rules)).toThrow();
  },
);

test('rules that stand beside each other are no problem', () => {
  const rules = [
    rule,
    post,
    { ...rule, path: '/api/runs' },
    { ...rule, path: '/api/:id' },
    { ...rule, path: '/api/:from-:to' },
    { ...rule, path: '/api/m::predict' },
    { ...rule, path: '/*' },
  ];
  expect(ruleProblems(rules, 'rules')).toEqual([]);
  expect(() => compileRules(rules)).not.toThrow();
});
