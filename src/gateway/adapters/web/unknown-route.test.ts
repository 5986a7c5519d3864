import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { failure } from '../../../lib/errors.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import { alice, allow, callerOf, TestGateway, type GatewayParts } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { absentConnectionSurface } from './absent-connection.ts';
import { webSurface, type WebConnection } from './surface.ts';

const bob = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' as PrincipalId;
const generic = 'This path is not described here, so it is denied.';
const connections = ['tracker', 'mlflow', 'mlflow-secret'].map((name) => ({ name, scope: `/${name}` }));

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});

/** Alice holds roles at `tracker` and `mlflow`, Bob nowhere. */
async function start(parts: Partial<GatewayParts> = {}, rules: WebConnection['rules'] = []) {
  const options = {
    ...proxyOptions,
    holdRolesTouching: ([id]: readonly PrincipalId[], scope: string) =>
      id === alice && scope !== '/mlflow-secret',
  };
  const surfaces = connections.map((connection) =>
    webSurface({ ...connection, upstream: 'http://127.0.0.1:9', rules }, options),
  );
  const gateway = await TestGateway.start({
    surfaces: [
      ...surfaces,
      absentConnectionSurface({ connections, ...options, audiences: ['api://lockstep'] }),
    ],
    tokens: new Map([
      ['alice', callerOf(alice)],
      ['bob', callerOf(bob)],
    ]),
    hostnames: ['mlfow.localhost', 'tracker.localhost'],
    ...parts,
  });
  open.push(gateway, ...surfaces);
  const error = z.object({ error: z.object({ message: z.string() }) });
  const said = async (path: string, token: string | null, method = 'GET') => {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const response = await gateway.fetch(path, { method, headers });
    expect(response.status).toBe(403);
    return error.parse(await response.json()).error.message;
  };
  return { gateway, said };
}

describe('a path that no rule of a connection is for', () => {
  it('is told with the connection to who holds a role there, and plainly to everybody else', async () => {
    const { said } = await start();
    expect(await said('/connections/tracker/other?secret=1', 'alice')).toBe(
      'No rule of connection `tracker` is for GET /other.',
    );
    expect(await said('/connections/tracker/other', 'alice', 'PATCH')).toBe(
      'No rule of connection `tracker` is for PATCH /other.',
    );
    expect(await said('/connections/mlflow-secret/other', 'alice')).toBe(generic);
    expect(await said('/connections/tracker/other', 'bob')).toBe(generic);
    expect(await said('/connections/tracker/other', null)).toBe(generic);
    expect(await said('/connections/tracker/other', 'forged')).toBe(generic);
  });

  it('is not told to whose identity has ended', async () => {
    const { said } = await start({ checkLive: () => failure('revoked_token', 'The identity has ended.') });
    expect(await said('/connections/tracker/other', 'alice')).toBe(generic);
  });

  it('is bounded and cannot end the quotation', async () => {
    const { said } = await start();
    const message = await said(`/connections/tracker/${'x'.repeat(5_000)}`, 'alice');
    expect(message.length).toBeLessThan(300);
    expect(await said('/connections/tracker/a%60b%22c', 'alice')).toBe(
      'No rule of connection `tracker` is for GET /a%60b%22c.',
    );
  });
});

describe('a connection that is not there', () => {
  it('is named, with the one that was meant if the caller holds a role there', async () => {
    const { said } = await start();
    expect(await said('/connections/mlfow/api/2.0/mlflow/runs/get', 'alice')).toBe(
      'There is no connection `mlfow`. Did you mean `mlflow`?',
    );
    expect(await said('/connections/mlflow-secre/x', 'alice')).not.toContain('mlflow-secret');
    expect(await said('/connections/mlfow/x', 'bob')).toBe('There is no connection `mlfow`.');
    expect(await said('/connections/mlfow/x', null)).toBe(generic);
    expect(await said('/connections/mlfow/x', 'forged')).toBe(generic);
  });

  it('is told at the host that it would have, too', async () => {
    const { gateway } = await start();
    const ask = (more: string) =>
      gateway.raw(
        `GET /x HTTP/1.1\r\nHost: mlfow.localhost\r\n${more}Connection: close\r\n\r\n`,
        5000,
        'mlfow.localhost',
      );
    expect(await ask('Authorization: Bearer alice\r\n')).toContain(
      'There is no connection `mlfow`. Did you mean `mlflow`?',
    );
    expect(await ask('')).toContain(generic);
  });

  it('whatever its name may be', async () => {
    const { said } = await start();
    for (const name of ['%60', 'a'.repeat(500), 'A%20B']) {
      expect(await said(`/connections/${name}/x`, 'alice')).toBe('There is no connection of that name.');
    }
  });

  it('is not said of one that is there', async () => {
    const { said } = await start();
    expect(await said('/connections/mlflow', 'alice')).toBe(
      'The paths of connection `mlflow` begin with /connections/mlflow/.',
    );
    expect(await said('/connections/mlflow', 'bob')).toBe(generic);
    expect(await said('/connections/mlflow-secret', 'alice')).toBe(generic);
    expect(await said('/connections', 'alice')).toBe(generic);
  });
});

it('an upstream that does not answer is told with its connection', async () => {
  const rules: WebConnection['rules'] = [{ methods: ['GET'], path: '/*', action: 'Contoso.X/y/read' }];
  const { gateway } = await start({ decide: allow }, rules);
  const ask = async () => {
    const response = await gateway.fetch('/connections/tracker/x', {
      headers: { authorization: 'Bearer alice' },
    });
    return [response.status, await response.text()];
  };
  expect(await ask()).toEqual([
    502,
    expect.stringContaining('The upstream of connection `tracker` cannot be reached.'),
  ]);
});
