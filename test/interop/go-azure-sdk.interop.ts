import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { openScene } from '../e2e/scene.ts';
import { Checks } from './checks.ts';
import { openDelegates } from './delegates.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

const source = join(import.meta.dirname, 'go-azure-sdk');
const lineSchema = z.object({ check: z.string(), ok: z.boolean(), error: z.string().optional() });

/**
 * The library that Terraform's provider azurerm is made of, called as its resources call it. The provider itself takes
 * long to build and has a suite of its own; this one is always run.
 */
export const suite: InteropSuite = {
  name: 'go-azure-sdk (the library of Terraform’s provider)',
  async run(context): Promise<InteropResult> {
    const program = join(context.cacheDirectory, 'go-azure-sdk-check');
    try {
      await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: source, timeout: 900_000 });
    } catch (error) {
      const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      const why = absent ? 'Go is not installed' : `the checker cannot be built: ${String(error)}`;
      return { passed: 0, failed: 0, skipped: 1, notes: [`skipped: ${why}`] };
    }
    const checks = new Checks(context);
    const scene = await openScene();
    try {
      const { platform, delegate } = await openDelegates(scene);
      const { cast, house, issuer } = scene;
      const { place, caFile } = house.stage;
      const run = issuer.runs['production'];
      const child = spawn(program, [], {
        env: {
          SSL_CERT_FILE: caFile,
          HTTPS_PROXY: 'http://127.0.0.1:9',
          LOCKSTEP_URL: house.url,
          TENANT_ID: place.tenantId,
          SUBSCRIPTION_ID: place.subscriptionId,
          GROUP: `/subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroup}`,
          WORKSPACE: cast.scopes.workspace,
          PLATFORM_ID: platform.id,
          PLATFORM_CLIENT_ID: platform.appId,
          PLATFORM_SECRET: platform.secret,
          DELEGATE_CLIENT_ID: delegate.appId,
          DELEGATE_SECRET: delegate.secret,
          CI_ID: cast.ci.id,
          CI_CLIENT_ID: cast.ci.appId,
          ID_TOKEN_URL: run?.requestUrl ?? '',
          ID_TOKEN_SECRET: run?.requestToken ?? '',
          PRINCIPAL_ID: cast.grace,
          READER: roleIds.reader,
          OWNER: roleIds.owner,
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      for await (const text of createInterface({ input: child.stdout })) {
        const line = lineSchema.parse(JSON.parse(text));
        await checks.check(line.check, async () => {
          if (!line.ok) throw new Error(line.error);
        });
      }
      await checks.check('the program comes to its end', async () => {
        const code = await ended;
        if (code !== 0) throw new Error(`it ended with ${code}`);
      });
    } finally {
      await scene.close();
    }
    return checks.result();
  },
};
