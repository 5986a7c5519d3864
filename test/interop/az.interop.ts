import { execFile } from 'node:child_process';
import { match, partialDeepStrictEqual, strictEqual } from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { lockstep } from '../../examples/four-day-training-job/processes.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { openScene, type Scene } from '../e2e/scene.ts';
import { Az } from './azure-cli/az.ts';
import { Checks } from './checks.ts';
import { openDelegates, type Delegate, type Delegates } from './delegates.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

const assignmentSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  principalId: z.string(),
  scope: z.string(),
});
const assignmentsSchema = z.array(assignmentSchema);

/** Everything that the checks share. */
interface Stage {
  readonly scene: Scene;
  readonly delegates: Delegates;
  readonly directory: string;
  readonly checks: Checks;
  readonly subscription: string;
  /** Somebody's `az`, not yet signed in. */
  another(name: string): Az;
}

/** The unmodified command line of Azure, pointed at Lockstep as docs/guides/azure-clients.md has it. */
export const suite: InteropSuite = {
  name: 'azure-cli (az cloud, login, account, role, ad, rest)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'azure-cli', (line) => context.log(line));
    if (venv === null)
      return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: no Python with azure-cli'] };
    const checks = new Checks(context);
    const scene = await openScene();
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-az-'));
    try {
      const { url, stage } = scene.house;
      const homeOf = (name: string) => {
        const home = join(directory, name);
        mkdirSync(home);
        return home;
      };
      const first = new Az(venv, homeOf('first'), stage.caFile);
      const registered = await checks.check('az cloud register needs no more than our address', async () => {
        await first.ask('cloud', 'register', '--name', 'lockstep', '--endpoint-resource-manager', url);
        await first.ask('cloud', 'set', '--name', 'lockstep');
        const endpoints = { resourceManager: url, activeDirectory: url, microsoftGraphResourceId: url };
        partialDeepStrictEqual(await first.ask('cloud', 'show'), { name: 'lockstep', endpoints });
        return true;
      });
      if (registered !== null) {
        await commands({
          scene,
          checks,
          directory,
          delegates: await openDelegates(scene),
          subscription: `/subscriptions/${stage.place.subscriptionId}`,
          another: (name) => first.forAnother(venv, homeOf(name), stage.caFile),
        });
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
      await scene.close();
    }
    return checks.result();
  },
};

async function commands(stage: Stage): Promise<void> {
  const platform = stage.another('platform');
  const signedIn = await signIns(stage, platform);
  if (!signedIn) return;
  await definitions(stage, platform);
  await assignments(stage, platform);
  await refusals(stage);
}

function login(az: Az, { scene }: Stage, { appId }: Pick<Delegate, 'appId'>, ...proof: readonly string[]) {
  const tenant = ['--tenant', scene.house.stage.place.tenantId];
  return az.ask('login', '--service-principal', '--username', appId, ...tenant, ...proof);
}

async function signIns(stage: Stage, platform: Az): Promise<boolean> {
  const { scene, checks, delegates, directory } = stage;
  const { tenantId, subscriptionId } = scene.house.stage.place;
  const account = { id: subscriptionId, tenantId, state: 'Enabled' };

  const done = await checks.check('az login with a secret, and az account show what it may see', async () => {
    await login(platform, stage, delegates.platform, '--password', delegates.platform.secret);
    partialDeepStrictEqual(await platform.ask('account', 'show'), {
      ...account,
      environmentName: 'lockstep',
      user: { name: delegates.platform.appId, type: 'servicePrincipal' },
    });
    partialDeepStrictEqual(await platform.ask('account', 'list', '--refresh'), [{ id: subscriptionId }]);
    return true;
  });

  await checks.check(
    'az account get-access-token gives a token of ours, for any of our resources',
    async () => {
      for (const resource of [[], ['--resource', 'https://storage.azure.com']]) {
        const given = z
          .looseObject({ accessToken: z.string(), tenant: z.string(), tokenType: z.string() })
          .parse(await platform.ask('account', 'get-access-token', ...resource));
        strictEqual(given.tenant, tenantId);
        const [, claims = ''] = given.accessToken.split('.');
        partialDeepStrictEqual(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')), {
          aud: resource.at(-1) ?? scene.house.url,
          oid: delegates.platform.id,
        });
      }
    },
  );

  await checks.check('az login with a certificate', async () => {
    const certificate = join(directory, 'certificate.pem');
    const open = join(directory, 'public.pem');
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=interop'];
    await promisify(execFile)('openssl', [...made, '-keyout', certificate, '-out', open]);
    appendFileSync(certificate, readFileSync(open));
    const { appId } = delegates.platform;
    const added = await lockstep(['app', 'add-certificate', appId, open], scene.house.stage.cli);
    strictEqual(added.exitCode, 0, added.stderr);
    const az = stage.another('certificate');
    partialDeepStrictEqual(await login(az, stage, delegates.platform, '--certificate', certificate), [
      account,
    ]);
    await az.ask('group', 'list');
  });

  await checks.check(
    'az login with the token of a CI run, which sees the subscription of its workspace',
    async () => {
      const az = stage.another('ci');
      const token = await scene.ci.assertion();
      partialDeepStrictEqual(await login(az, stage, scene.cast.ci, '--federated-token', token), [account]);
      await az.ask('rest', '--url', `${scene.cast.scopes.workspace}/jobs?api-version=2024-10-01`);
    },
  );

  await checks.check('a wrong secret is refused in Entra’s words', async () => {
    const az = stage.another('stranger');
    const { appId } = delegates.platform;
    const said = await az.refusal(
      'login',
      '--service-principal',
      '--username',
      appId,
      '--password',
      'guessed',
      '--tenant',
      tenantId,
    );
    match(said, /AADSTS7000215: Invalid client secret/);
  });

  await checks.check(
    'a run from another repository is refused with what was expected and what came',
    async () => {
      const az = stage.another('fork');
      const token = await scene.ci.assertion('fork');
      const said = await az.refusal(
        'login',
        '--service-principal',
        '--username',
        scene.cast.ci.appId,
        '--tenant',
        tenantId,
        '--federated-token',
        token,
      );
      match(said, /AADSTS7002\d+: .*repository_id/s);
    },
  );
  return done !== null;
}

async function definitions({ checks, subscription, scene }: Stage, az: Az): Promise<void> {
  const group = `${subscription}/resourceGroups/${scene.house.stage.place.resourceGroup}`;
  const promoter = {
    Name: 'Model promoter',
    Description: 'Registers models.',
    Actions: ['Microsoft.MachineLearningServices/workspaces/models/*'],
    NotActions: ['Microsoft.MachineLearningServices/workspaces/models/delete'],
    DataActions: [],
    AssignableScopes: [group],
  };
  const roleDefinition = ['role', 'definition'];

  await checks.check('az role definition list finds a role by name, by id, and all', async () => {
    const owner = { name: roleIds.owner, roleName: 'Owner', roleType: 'BuiltInRole' };
    partialDeepStrictEqual(await az.ask(...roleDefinition, 'list', '--name', 'Owner'), [owner]);
    partialDeepStrictEqual(await az.ask(...roleDefinition, 'list', '--name', roleIds.owner), [owner]);
    const all = z
      .array(z.looseObject({ roleName: z.string() }))
      .parse(await az.ask(...roleDefinition, 'list'));
    strictEqual(all.filter(({ roleName }) => /^(Owner|Contributor|Reader)$/.test(roleName)).length, 3);
    strictEqual(JSON.stringify(await az.ask(...roleDefinition, 'list', '--custom-role-only')), '[]');
  });

  await checks.check(
    'az role definition create, show, update, delete, with scopes as they were written',
    async () => {
      const made = z
        .looseObject({ id: z.string(), name: z.string() })
        .parse(await az.ask(...roleDefinition, 'create', '--role-definition', JSON.stringify(promoter)));
      const shown = await az.ask(...roleDefinition, 'show', '--id', made.id);
      partialDeepStrictEqual(shown, {
        roleName: promoter.Name,
        assignableScopes: [group],
        permissions: [{ actions: promoter.Actions, notActions: promoter.NotActions }],
      });
      partialDeepStrictEqual(
        await az.ask(...roleDefinition, 'list', '--custom-role-only', '--scope', group),
        [{ name: made.name }],
      );
      const changed = { ...promoter, Description: 'Registers models, and looks at jobs.' };
      await az.ask(...roleDefinition, 'update', '--role-definition', JSON.stringify(changed));
      partialDeepStrictEqual(await az.ask(...roleDefinition, 'show', '--scope', group, '--name', made.name), {
        description: changed.Description,
      });
      await az.ask(...roleDefinition, 'delete', '--name', promoter.Name, '--scope', group);
      strictEqual(JSON.stringify(await az.ask(...roleDefinition, 'list', '--name', promoter.Name)), '[]');
    },
  );

  await checks.check('a role that Azure ships can be neither changed nor deleted', async () => {
    match(
      await az.refusal(...roleDefinition, 'delete', '--name', 'Reader'),
      /RoleDefinitionUpdateNotPermitted/,
    );
  });
}

async function assignments(stage: Stage, az: Az): Promise<void> {
  const { checks, scene, subscription, delegates } = stage;
  const { workspace } = scene.cast.scopes;
  const { ada, grace, engineers } = scene.cast;
  const roleAssignment = ['role', 'assignment'];
  const list = async (...args: readonly string[]) =>
    assignmentsSchema.parse(await az.ask(...roleAssignment, 'list', ...args));
  const create = async (...args: readonly string[]) =>
    assignmentSchema.parse(await az.ask(...roleAssignment, 'create', ...args));
  const named = (name: string) => (assignment: { name: string }) => assignment.name === name;

  const toGrace = await checks.check('az role assignment create looks a person up by name', async () => {
    const made = await create(
      '--role',
      'Reader',
      '--assignee',
      'grace@palmer.example',
      '--scope',
      workspace,
      '--description',
      'for the audit',
    );
    partialDeepStrictEqual(made, {
      scope: workspace,
      principalId: grace,
      principalType: 'User',
      roleDefinitionId: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${roleIds.reader}`,
      description: 'for the audit',
      createdBy: delegates.platform.id,
    });
    return made;
  });

  await checks.check('asked again, it answers the assignment that there is', async () => {
    const again = await create('--role', 'Reader', '--assignee', grace, '--scope', workspace);
    strictEqual(again.name, toGrace?.name);
  });

  await checks.check(
    'an application is looked up by its application id, a group by its object id',
    async () => {
      const toApplication = await create(
        '--role',
        'Reader',
        '--assignee',
        delegates.delegate.appId,
        '--scope',
        workspace,
      );
      partialDeepStrictEqual(toApplication, {
        principalId: delegates.delegate.id,
        principalType: 'ServicePrincipal',
      });
      const toGroup = await create('--role', 'Reader', '--assignee', engineers, '--scope', workspace);
      partialDeepStrictEqual(toGroup, { principalId: engineers, principalType: 'Group' });
    },
  );

  await checks.check(
    'with object id and type nothing is looked up, and a false type is refused',
    async () => {
      const scope = ['--scope', scene.cast.scopes.datasets];
      const whom = ['--assignee-object-id', ada, '--assignee-principal-type'];
      const role = ['--role', roleIds.storageBlobDataReader];
      partialDeepStrictEqual(await create(...role, ...whom, 'User', ...scope), { principalId: ada });
      const said = await az.refusal(
        ...roleAssignment,
        'create',
        '--role',
        'Reader',
        ...whom,
        'Group',
        ...scope,
      );
      match(said, /UnmatchedPrincipalType.*has type 'User'/s);
    },
  );

  await checks.check('az role assignment list: at the scope, inherited, through groups, all', async () => {
    const atWorkspace = await list('--scope', workspace);
    strictEqual(
      atWorkspace.some(({ scope }) => scope !== workspace),
      false,
    );
    const inherited = await list('--scope', workspace, '--include-inherited');
    const platformOwner = { principalId: delegates.platform.id, scope: subscription };
    strictEqual(inherited.filter(({ scope }) => scope === subscription).length, 1);
    partialDeepStrictEqual(
      inherited.find(({ scope }) => scope === subscription),
      { ...platformOwner, roleDefinitionName: 'Owner', principalName: delegates.platform.appId },
    );
    partialDeepStrictEqual(
      inherited.find(({ scope }) => scope === '/'),
      { roleDefinitionName: 'Owner' },
    );
    const own = await list('--scope', workspace, '--assignee', 'ada@palmer.example');
    const withGroups = await list(
      '--scope',
      workspace,
      '--assignee',
      'ada@palmer.example',
      '--include-groups',
    );
    strictEqual(own.length, 0);
    strictEqual(
      withGroups.every(({ principalId }) => principalId === engineers),
      true,
    );
    strictEqual(withGroups.length, 2);
    const everything = await list('--all');
    strictEqual(everything.filter(({ scope }) => scope === '/').length, 1);
    const ofGrace = await list('--all', '--assignee', 'grace@palmer.example');
    strictEqual(ofGrace.length, 3);
    partialDeepStrictEqual(ofGrace.find(named(toGrace?.name ?? '')), {
      principalName: 'grace@palmer.example',
      roleDefinitionName: 'Reader',
    });
    strictEqual((await list('--scope', subscription, '--role', 'Owner')).length, 1);
  });

  const visitor = stage.another('visitor');
  const mayRead = async (what: string) => {
    const url = `${workspace}/${what}?api-version=2024-10-01`;
    const { exitCode, stderr } = await visitor.run('rest', '--url', url);
    if (exitCode !== 0) match(stderr, /AuthorizationFailed/);
    return exitCode === 0;
  };

  await checks.check('who holds no role sees no subscription, and one with any role in it', async () => {
    const { appId, secret } = delegates.visitor;
    const said = await visitor.refusal(
      'login',
      '--service-principal',
      '--username',
      appId,
      '--password',
      secret,
      '--tenant',
      scene.house.stage.place.tenantId,
    );
    match(said, /No subscriptions found/);
    await create('--role', 'Reader', '--assignee', appId, '--scope', scene.cast.scopes.outputs);
    partialDeepStrictEqual(await login(visitor, stage, delegates.visitor, '--password', secret), [
      { id: scene.house.stage.place.subscriptionId },
    ]);
    strictEqual(await mayRead('jobs'), false);
  });

  await checks.check(
    'a condition is written, changed by az role assignment update, and enforced at once',
    async () => {
      const notJobs = "(!(ActionMatches{'Microsoft.MachineLearningServices/workspaces/jobs/read'}))";
      const notModels = notJobs.replace('jobs', 'models');
      const made = await create(
        '--role',
        'Reader',
        '--assignee',
        delegates.visitor.appId,
        '--scope',
        workspace,
        '--condition',
        notJobs,
        '--condition-version',
        '2.0',
      );
      partialDeepStrictEqual(made, { condition: notJobs, conditionVersion: '2.0' });
      strictEqual(await mayRead('jobs'), false);
      strictEqual(await mayRead('models'), true);
      const changed = JSON.stringify({ ...made, condition: notModels, description: 'changed' });
      partialDeepStrictEqual(await az.ask(...roleAssignment, 'update', '--role-assignment', changed), {
        name: made.name,
        condition: notModels,
        description: 'changed',
      });
      strictEqual(await mayRead('jobs'), true);
      strictEqual(await mayRead('models'), false);
      partialDeepStrictEqual((await list('--scope', workspace)).find(named(made.name)), {
        condition: notModels,
        scope: workspace,
      });
      await az.ask(...roleAssignment, 'delete', '--ids', made.id);
      strictEqual(await mayRead('jobs'), false);
    },
  );

  await checks.check(
    'who joins a group has its roles with the next request, and who leaves has not',
    async () => {
      await az.ask(
        'ad',
        'group',
        'member',
        'add',
        '--group',
        'ml-engineers',
        '--member-id',
        delegates.visitor.id,
      );
      strictEqual(await mayRead('jobs'), true);
      await az.ask(
        'ad',
        'group',
        'member',
        'remove',
        '--group',
        'ml-engineers',
        '--member-id',
        delegates.visitor.id,
      );
      strictEqual(await mayRead('jobs'), false);
    },
  );

  await checks.check('a condition that is none is refused, with the place where it goes wrong', async () => {
    const said = await az.refusal(
      ...roleAssignment,
      'create',
      '--role',
      'Reader',
      '--assignee',
      'ada@palmer.example',
      '--scope',
      subscription,
      '--condition',
      "@Resource[a] IsLike 'b'",
    );
    match(said, /InvalidCondition.*at character \d+/s);
  });

  await checks.check('az role assignment delete, by id and by whom, takes effect at once', async () => {
    await az.ask(...roleAssignment, 'delete', '--ids', toGrace?.id ?? '');
    strictEqual((await list('--all', '--assignee', 'grace@palmer.example')).length, 2);
    await az.ask(
      ...roleAssignment,
      'delete',
      '--assignee',
      engineers,
      '--role',
      'Reader',
      '--scope',
      workspace,
    );
    strictEqual(
      (await list('--scope', workspace)).some(({ principalId }) => principalId === grace),
      false,
    );
    match(
      await az.refusal(...roleAssignment, 'delete', '--assignee', ada, '--scope', workspace),
      /No matched/,
    );
  });

  await checks.check('az rest reads and writes at our address', async () => {
    const url = `${subscription}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`;
    partialDeepStrictEqual(await az.ask('rest', '--url', `${url}&$filter=atScope()`), { nextLink: null });
    partialDeepStrictEqual(
      await az.ask('rest', '--url', `${scene.house.url}/v1.0/users/grace@palmer.example`),
      {
        id: grace,
      },
    );
  });

  await checks.check('az ad shows people, groups and applications', async () => {
    partialDeepStrictEqual(await az.ask('ad', 'user', 'show', '--id', 'ada@palmer.example'), { id: ada });
    partialDeepStrictEqual(await az.ask('ad', 'sp', 'show', '--id', delegates.guest.appId), {
      id: delegates.guest.id,
    });
    const members = await az.ask('ad', 'group', 'member', 'list', '--group', 'ml-engineers');
    strictEqual(
      z
        .array(z.looseObject({ id: z.string() }))
        .parse(members)
        .some(({ id }) => id === ada),
      true,
    );
  });
}

/** What the refused see, and that a constrained delegate gets round its bounds in no way that az offers. */
async function refusals(stage: Stage): Promise<void> {
  const { checks, scene, delegates } = stage;
  const { workspace } = scene.cast.scopes;
  const { ada, engineers } = scene.cast;
  const guest = stage.another('guest');
  const delegate = stage.another('delegate');
  await login(guest, stage, delegates.guest, '--password', delegates.guest.secret);
  await login(delegate, stage, delegates.delegate, '--password', delegates.delegate.secret);
  const give = (role: string, id: string, kind: string, scope = workspace, ...more: readonly string[]) => [
    'role',
    'assignment',
    'create',
    '--role',
    role,
    '--assignee-object-id',
    id,
    '--assignee-principal-type',
    kind,
    '--scope',
    scope,
    ...more,
  ];
  const denied =
    /\(AuthorizationFailed\) The client '\w+' with object id '[0-9a-f-]{36}' does not have authorization to perform action 'Microsoft.Authorization\/roleAssignments\/(?:write|delete)' over scope '[^']+' or the scope is invalid/;

  await checks.check(
    'who may not give roles is told so in Azure’s words, and which decision it was',
    async () => {
      const said = await guest.refusal(...give(roleIds.reader, ada, 'User'));
      match(said, denied);
      match(said, /no role assignment grants it\. See `lockstep explain dec_\w+`/);
    },
  );

  await checks.check('who may not read the directory is told so, and what else would do', async () => {
    const { exitCode, stderr } = await delegate.run(
      'role',
      'assignment',
      'create',
      '--role',
      roleIds.storageBlobDataReader,
      '--assignee',
      'ada@palmer.example',
      '--scope',
      workspace,
    );
    strictEqual(exitCode, 1);
    match(stderr, /may not perform the action `Lockstep.Access\/users\/read`/);
    match(stderr, /please specify --assignee-object-id and --assignee-principal-type/);
  });

  await checks.check('a constrained delegate gives what it may give', async () => {
    partialDeepStrictEqual(await delegate.ask(...give(roleIds.storageBlobDataReader, engineers, 'Group')), {
      principalId: engineers,
      createdBy: delegates.delegate.id,
    });
  });

  await checks.check(
    'and not Owner: not to others, not to itself, at no scope, under no other type',
    async () => {
      const own = delegates.delegate.id;
      const group = workspace.slice(0, workspace.indexOf('/providers/'));
      for (const attempt of [
        give(roleIds.owner, ada, 'User'),
        give(roleIds.owner, own, 'ServicePrincipal'),
        give(roleIds.owner, own, 'User'),
        give(roleIds.owner, ada, 'User', group),
        give(roleIds.owner, ada, 'User', stage.subscription),
        give(roleIds.owner, ada, 'User', '/'),
        give(roleIds.storageBlobDataReader, own, 'ServicePrincipal'),
        give(roleIds.rbacAdministrator, own, 'ServicePrincipal', group),
        give(roleIds.owner, ada, 'User', workspace.toUpperCase()),
        give(roleIds.owner, ada, 'User', workspace, '--condition', "@Resource[a:b] StringEquals 'c'"),
      ]) {
        match(await delegate.refusal(...attempt), /AuthorizationFailed|UnmatchedPrincipalType/);
      }
    },
  );

  await checks.check(
    'nor may it loosen its own bounds, make a role of its own, or take what it did not give',
    async () => {
      const mine = assignmentsSchema
        .parse(await delegate.ask('role', 'assignment', 'list', '--scope', workspace, '--include-inherited'))
        .filter(({ principalId }) => principalId === delegates.delegate.id);
      const bound = mine.find((assignment) => 'condition' in assignment);
      if (bound === undefined) throw new Error('the delegate does not see what binds it');
      const { condition: _, conditionVersion: __, ...unbound } = bound;
      for (const written of [
        { ...unbound, condition: '' },
        { ...bound, condition: "@Resource[a:b] StringNotEquals 'c'" },
      ]) {
        match(
          await delegate.refusal(
            'role',
            'assignment',
            'update',
            '--role-assignment',
            JSON.stringify(written),
          ),
          denied,
        );
      }
      match(await delegate.refusal('role', 'assignment', 'delete', '--ids', bound.id), denied);
      const role = { Name: 'mine', Actions: ['*'], AssignableScopes: [stage.subscription] };
      match(
        await delegate.refusal('role', 'definition', 'create', '--role-definition', JSON.stringify(role)),
        /AuthorizationFailed.*roleDefinitions\/write/s,
      );
    },
  );
}
