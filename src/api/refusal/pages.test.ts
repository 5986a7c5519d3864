import { expect, describe, it, test } from 'vitest';
import { accessDenied, withDecision } from '../../gateway/denial/denial.ts';
import { webSurface } from '../../gateway/adapters/web/surface.ts';
import { mlflowSurface } from '../../gateway/adapters/mlflow/surface.ts';
import { jupyterSurface } from '../../gateway/adapters/jupyter/surface.ts';
import { callerOf } from '../../gateway/testing/gateway.ts';
import { proxyOptions } from '../../gateway/testing/proxy-options.ts';
import type { Reply, RequestHead, Surface } from '../../gateway/types.ts';
import { failure, LockstepError, type ErrorCode } from '../../lib/errors.ts';
import { newDecisionId, newRequestId, type PrincipalId } from '../../lib/ids.ts';
import { roleIds } from '../../policy/built-in-roles.ts';
import { decide } from '../../policy/decide.ts';
import { PolicySnapshot, type PolicyRows } from '../../policy/snapshot.ts';
import { ada, assignment, deny, group, id, person, rows, subscription } from '../../policy/testing/people.ts';
import type { Decision } from '../../policy/types.ts';
import { navigation } from '../entra/testing/browser.ts';
import { nowhereSurface, refusalPages } from './pages.ts';

const publicUrl = 'https://lockstep.example';
const action = 'Contoso.Lab/pages/read';

function head(over: Partial<RequestHead> = {}): RequestHead {
  return {
    id: newRequestId(0),
    method: 'GET',
    host: 'lab.localhost',
    authority: 'lab.localhost',
    path: '/page',
    rawQuery: 'a=1',
    query: new URLSearchParams('a=1'),
    headers: navigation,
    remoteAddress: '127.0.0.1',
    origin: 'https://lab.localhost',
    upgrade: null,
    hasBody: false,
    ...over,
  };
}

const adapters = {
  web: (options: typeof proxyOptions) =>
    webSurface({ name: 'lab', upstream: 'http://127.0.0.1:1', scope: group, rules: [] }, options),
  mlflow: (options: typeof proxyOptions) =>
    mlflowSurface({ name: 'lab', upstream: 'http://127.0.0.1:1', scope: group, workspace: null }, options),
  jupyter: (options: typeof proxyOptions) =>
    jupyterSurface(
      { name: 'lab', upstream: 'http://127.0.0.1:1', scope: group, isolatedKernels: false },
      options,
    ),
};

function surfaceOver(policy: PolicyRows, kind: keyof typeof adapters = 'web'): Surface {
  const signInAddress = (name: string, state: string, path: string) =>
    `${publicUrl}/signin/connection?${new URLSearchParams({ name, state, path }).toString()}`;
  return adapters[kind]({
    ...proxyOptions,
    signInAddress,
    refusalPage: refusalPages({
      publicUrl,
      snapshot: PolicySnapshot.from(policy),
      originOf: (name) => `https://${name}.localhost`,
      signInAddress,
      askAddress: (decision) => `${publicUrl}/account/requests/new?decision=${decision}`,
    }),
  });
}

function denied(policy: PolicyRows, who: PrincipalId = ada, scope = group): LockstepError {
  const snapshot = PolicySnapshot.from(policy);
  const access = { action, dataAction: false, scope };
  const decision: Decision = {
    id: newDecisionId(0),
    ...decide(snapshot, who, access),
    decidedFor: who,
    authorities: [who],
    access,
    snapshotVersion: snapshot.version,
    restsOnTime: false,
  };
  expect(decision.allowed).toBe(false);
  return accessDenied(callerOf(who), decision);
}

function textOf({ body }: Reply): string {
  return typeof body === 'string' ? body : '';
}

function isPage({ headers }: Reply): boolean {
  return String(headers?.['content-type']).startsWith('text/html');
}

const bare: PolicyRows = {
  ...rows,
  roleAssignments: rows.roleAssignments.filter(({ scope }) => scope !== group),
};

describe('the page of a person who lacks a role', () => {
  const error = denied(bare);
  const reply = surfaceOver(bare).renderError(error, head());
  const text = textOf(reply);

  it('has the status of the protocol’s error and says what, why, which role, where and from whom', () => {
    expect([reply.status, isPage(reply)]).toEqual([403, true]);
    expect(text).toContain('Ada may not see pages here: no role assignment grants it.');
    expect(text).toMatch(/<dt>Role<\/dt>\s*<dd><bdi>Reader<\/bdi>/);
    expect(text).toContain('Ben');
    expect(text).toContain('default:missing-grant');
    expect(text).toMatch(/lockstep explain dec_[0-9a-z]{26}/);
  });

  it('leads to where it can be asked for, and to a sign-in as somebody else that ends at the same page', () => {
    const { id: decision } = error.details['decision'] as Decision;
    expect(text).toContain(`href="${publicUrl}/account/requests/new?decision=${decision}"`);
    const [, address = ''] = /href="([^"]*\/signin\?[^"]*)"/.exec(text) ?? [];
    const onward = new URL(new URL(address).searchParams.get('continue') ?? '', publicUrl);
    expect(onward.pathname).toBe('/signin/connection');
    expect(onward.searchParams.get('path')).toBe('/page?a=1');
    expect(String(reply.headers?.['set-cookie'])).toMatch(/^__Host-lockstep-signing-in=[\w-]{32};/);
  });

  it('runs nothing, asks for nothing, sends nothing and is framed by nobody', () => {
    const policy = String(reply.headers?.['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("base-uri 'none'");
    expect(policy).toMatch(/style-src 'sha256-[A-Za-z0-9+/]{43}='/);
    expect(policy).not.toContain('unsafe');
    expect(text).not.toMatch(/<(?:script|form|img|link|iframe|base)\b|\sstyle=|\son\w+=/i);
    expect(reply.headers).toMatchObject({
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
    });
  });
});

test('a deny assignment is named, and there is nothing to ask for', () => {
  const policy = { ...rows, denyAssignments: [deny(1, { name: 'no labs at night' })] };
  const text = textOf(surfaceOver(policy).renderError(denied(policy), head()));
  expect(text).toContain('the deny assignment “no labs at night” forbids it.');
  expect(text).toContain(`denyAssignment:${deny(1, {}).id}`);
  expect(text).not.toContain('Ask for access');
});

test('a disabled account is told so, and may be changed for another', () => {
  const policy = {
    ...rows,
    principals: rows.principals.map((each) => (each.id === ada ? { ...each, enabled: false } : each)),
  };
  const text = textOf(surfaceOver(policy).renderError(denied(policy), head()));
  expect(text).toContain('This account is not active');
  expect(text).toContain('Sign in as somebody else');
  expect(text).not.toContain('Ask for access');
});

test.each<[ErrorCode, number, string]>([
  ['upstream_unreachable', 502, '“lab” does not answer'],
  ['upstream_timeout', 504, '“lab” does not answer'],
  ['upstream_unavailable', 503, '“lab” does not answer'],
  ['policy_unavailable', 503, 'Nothing can be opened at the moment'],
  ['ledger_unavailable', 503, 'Nothing can be opened at the moment'],
  ['revoked_token', 401, 'Your sign-in has ended'],
  ['csrf_refused', 403, 'This came from another site'],
  ['unknown_route', 403, 'This page is not described'],
  ['internal', 500, 'That did not work'],
])('%s has a page of its own, and its status', (code, status, title) => {
  const reply = surfaceOver(rows).renderError(
    new LockstepError({ code, internalMessage: 'a secret' }),
    head(),
  );
  expect([reply.status, isPage(reply)]).toEqual([status, true]);
  expect(textOf(reply)).toContain(title);
  expect(textOf(reply)).not.toContain('a secret');
});

test('under a path of ours, where no browser is signed in, the page says where the connection is', () => {
  const visit = head({ host: 'localhost', path: '/connections/lab/page' });
  const reply = surfaceOver(rows).renderError(failure('authentication_required', 'No.'), visit);
  expect([reply.status, isPage(reply)]).toEqual([401, true]);
  expect(textOf(reply)).toContain('href="https://lab.localhost/page?a=1"');
  expect(reply.headers?.['set-cookie']).toBeUndefined();
});

test('a form that another site sends, without the cookie then, is told that nothing was done', () => {
  const error = failure('authentication_required', 'No.');
  const reply = surfaceOver(rows).renderError(error, head({ method: 'POST' }));
  expect([reply.status, isPage(reply)]).toEqual([401, true]);
  expect(textOf(reply)).toContain('Nothing was done.');
});

test('a page that is nowhere is told to a person, and to nobody else', () => {
  const surface = nowhereSurface(PolicySnapshot.from(rows), ({ host }) => host === 'nothing.localhost');
  const visit = head({ host: 'nothing.localhost' });
  expect(surface.matches(visit)).toBe(true);
  expect(surface.matches(head())).toBe(false);
  expect(surface.matches({ ...visit, headers: { accept: 'text/html' } })).toBe(false);
  const reply = surface.renderError(failure('unknown_route', 'No.'), visit);
  expect([reply.status, isPage(reply)]).toEqual([403, true]);
  expect(textOf(reply)).not.toContain('nothing.localhost');
});

describe.each(['web', 'mlflow', 'jupyter'] as const)('a client of %s that is no person’s browser', (kind) => {
  it.each<[string, Record<string, string>, Partial<RequestHead>]>([
    ['takes anything', { accept: '*/*' }, {}],
    ['says that it takes pages', { accept: 'text/html' }, {}],
    ['is a script', { ...navigation, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, {}],
    ['brings a token', { ...navigation, authorization: 'Bearer x' }, {}],
    ['is a service worker', { ...navigation, 'service-worker-navigation-preload': 'true' }, {}],
    ['deletes', navigation, { method: 'DELETE' }],
  ])('and %s gets the protocol’s error, with the same status', (_what, headers, over) => {
    const surface = surfaceOver(bare, kind);
    const error = denied(bare);
    const told = surface.renderError(error, head({ headers, ...over }));
    expect(isPage(told)).toBe(false);
    expect(() => JSON.parse(textOf(told)) as unknown).not.toThrow();
    // What only a person reads: whom to ask.
    expect(textOf(told)).not.toContain('Ben');
    const shown = surface.renderError(error, head({ ...over, headers: navigation, method: 'GET' }));
    expect([isPage(shown), shown.status]).toEqual([true, told.status]);
  });
});

describe('whatever people have called things', () => {
  const hostile = `"><script>alert(1)</script><img src=x onerror='a()'>\u202e`;

  it('stands in the page as text', () => {
    const mallory = id(77);
    const boss = id(78);
    const role = { ...rows.roleDefinitions.find((each) => each.id === roleIds.reader)! };
    const policy: PolicyRows = {
      ...rows,
      principals: [
        ...rows.principals,
        person(mallory, hostile),
        { ...person(boss, hostile), signInName: hostile },
      ],
      roleDefinitions: [
        ...rows.roleDefinitions,
        {
          ...role,
          id: 'cccccccc-0000-4000-8000-000000000001',
          type: 'CustomRole',
          roleName: hostile,
          permissions: [{ actions: [action], notActions: [], dataActions: [], notDataActions: [] }],
        },
      ],
      roleAssignments: [...rows.roleAssignments, assignment(90, subscription, roleIds.owner, boss)],
    };
    const text = textOf(surfaceOver(policy).renderError(denied(policy, mallory), head()));
    expect(text).not.toMatch(/<script|<img|onerror='/i);
    expect(/<h1[\s\S]*?<p>([\s\S]*?)<\/p>/.exec(text)?.[1]).not.toContain('\u202e');
    expect(text.split('&#60;script&#62;').length).toBeGreaterThan(3);
    const forbidding = { ...rows, denyAssignments: [deny(1, { name: hostile })] };
    const forbidden = textOf(surfaceOver(forbidding).renderError(denied(forbidding), head()));
    expect(forbidden).toContain('&#60;script&#62;');
    expect(forbidden).not.toMatch(/<script|<img/i);
  });

  it('and however they have addressed the page, its links lead nowhere else', () => {
    const rawQuery = `"><script>alert(1)</script>&javascript:alert(1)`;
    for (const over of [
      { rawQuery },
      { rawQuery, host: 'localhost', path: '/connections/lab//evil.example/"' },
    ]) {
      const text = textOf(surfaceOver(bare).renderError(denied(bare), head(over)));
      // Ours alone, where there is an address to take the fragment to: the policy admits no other.
      const ours = "<script>document.getElementById('there').hash = location.hash;</script>";
      expect(text.replace(ours, '')).not.toMatch(/<script/i);
      for (const [, address = ''] of text.matchAll(/href="([^"]*)"/g)) {
        expect(address).toMatch(/^https:\/\/(?:lockstep\.example|lab\.localhost)\/|^$/);
      }
    }
  });
});

test('a decision that would be another by now offers nothing', () => {
  const error = denied(bare);
  const granted = {
    ...bare,
    roleAssignments: [...bare.roleAssignments, assignment(91, group, roleIds.reader, ada)],
  };
  const text = textOf(surfaceOver(granted).renderError(error, head()));
  expect(text).not.toContain('Ask for access');
});

test('a fault of ours that carries a decision which allowed shows no remedy', () => {
  const allowed: Decision = { ...(denied(bare).details['decision'] as Decision), allowed: true };
  const error = withDecision(failure('upstream_unreachable', 'It cannot be reached.'), allowed);
  expect(textOf(surfaceOver(bare).renderError(error, head()))).not.toContain('What would be enough');
});
