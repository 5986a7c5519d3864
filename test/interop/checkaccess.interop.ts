import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openScene, type Scene } from '../e2e/scene.ts';
import { goProgram, reasonOf, run } from './go-program.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

const authorization = 'providers/Microsoft.Authorization';
const version = 'api-version=2022-04-01';
const everyone = '00000000-0000-0000-0000-000000000000';
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';

/** Lockstep as the decision point of somebody else's resources, asked by Azure's own clients for Go. */
export const suite: InteropSuite = {
  name: 'checkaccess (checkaccess-v2-go-sdk, azidentity for Go)',
  async run(context): Promise<InteropResult> {
    const built = await goProgram(join(import.meta.dirname, 'checkaccess'), context.cacheDirectory);
    if ('missing' in built) return { passed: 0, failed: 0, skipped: 1, notes: [`skipped: ${built.missing}`] };
    const scene = await openScene();
    const notes: string[] = [];
    let passed = 0;
    try {
      const { stdout } = await run(built.program, [], { env: await environmentOf(scene), timeout: 120_000 });
      for (const line of stdout.trim().split('\n')) {
        const result = JSON.parse(line) as { check: string; ok: boolean; error?: string };
        context.log(`${result.ok ? 'ok  ' : 'FAIL'} ${result.check}`);
        if (result.ok) passed += 1;
        else notes.push(`failed: ${result.check}: ${result.error ?? ''}`);
      }
    } catch (error) {
      notes.push(`failed: the checker: ${reasonOf(error)}`);
    } finally {
      await scene.close();
    }
    return { passed, failed: notes.length, skipped: 0, notes };
  },
};

/** The roles, the denial and the secret that the program's checks rest on. */
async function environmentOf({ house, cast }: Scene): Promise<NodeJS.ProcessEnv> {
  const { admin, stage } = house;
  const { workspace } = cast.scopes;
  const [trusted, denied] = ['trusted', 'denied'].map(
    (name) => `${workspace}/providers/Contoso.Things/things/${name}`,
  );
  const { secretText } = await admin.change<{ secretText: string }>(
    'POST',
    `/v1.0/applications/${cast.ci.id}/addPassword`,
    { passwordCredential: { displayName: 'interop' } },
    [200],
  );
  const put = async (scope: string, type: string, properties: object): Promise<string> => {
    const id = randomUUID();
    await admin.change('PUT', `${scope}/${authorization}/${type}/${id}?${version}`, { properties }, [201]);
    return id;
  };
  const define = (roleName: string, permission: object) =>
    put(workspace, 'roleDefinitions', {
      roleName,
      permissions: [permission],
      assignableScopes: [workspace],
    });
  const assign = (scope: string, role: string, principalId: string, more: object = {}) =>
    put(scope, 'roleAssignments', {
      roleDefinitionId: `/${authorization}/roleDefinitions/${role}`,
      principalId,
      ...more,
    });
  await assign(workspace, reader, cast.ci.id);
  const teller = await define('Teller of attributes', {
    actions: ['Lockstep.Access/decisions/attributes/action'],
  });
  await assign(trusted ?? '', teller, cast.ci.id);
  const user = await define('User of things', { dataActions: ['Contoso.Things/things/use/action'] });
  await assign(workspace, user, cast.ada, {
    condition: "@Resource[Contoso.Things/things:purpose] StringEquals 'research'",
    conditionVersion: '2.0',
  });
  const denial = await put(denied ?? '', 'denyAssignments', {
    denyAssignmentName: 'interop',
    permissions: [{ actions: ['Contoso.Things/*'] }],
    principals: [{ id: everyone, type: 'SystemDefined' }],
  });
  return {
    PATH: '/usr/bin:/bin',
    SSL_CERT_FILE: stage.caFile,
    LOCKSTEP_URL: house.url,
    TENANT_ID: stage.place.tenantId,
    CLIENT_ID: cast.ci.appId,
    CLIENT_SECRET: secretText,
    PRINCIPAL_ID: cast.ci.id,
    CONDITIONAL_PRINCIPAL: cast.ada,
    GROUP_ID: cast.engineers,
    WORKSPACE_ID: workspace,
    TRUSTED_ID: trusted,
    DENIED_ID: denied,
    DENY_ASSIGNMENT: denial,
  };
}
