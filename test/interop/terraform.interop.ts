import { deepStrictEqual, match, partialDeepStrictEqual, strictEqual } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { openScene, type Scene } from '../e2e/scene.ts';
import { Checks } from './checks.ts';
import { openDelegates, type Delegate, type Delegates } from './delegates.ts';
import type { InteropResult, InteropSuite } from './suite.ts';
import { providerMirror, providerVersion } from './terraform/provider.ts';
import { Terraform, terraformProgram } from './terraform/terraform.ts';

const notJobs = "(!(ActionMatches{'Microsoft.MachineLearningServices/workspaces/jobs/read'}))";
const outputsSchema = z.record(z.string(), z.object({ value: z.string() }));
const planSchema = z.object({
  resource_changes: z.array(
    z.object({ address: z.string(), change: z.object({ actions: z.array(z.string()) }) }),
  ),
});

interface Stage {
  readonly scene: Scene;
  readonly delegates: Delegates;
  readonly checks: Checks;
  readonly subscription: string;
  readonly group: string;
  /** A configuration of its own, as somebody. */
  as(who: Delegate, name: string, more?: Readonly<Record<string, string>>): Promise<Terraform>;
}

/** Terraform's unmodified provider azurerm, pointed at Lockstep as docs/guides/azure-clients.md has it. */
export const suite: InteropSuite = {
  name: 'terraform (azurerm)',
  async run(context): Promise<InteropResult> {
    const skipped = (why: string) => ({ passed: 0, failed: 0, skipped: 1, notes: [`skipped: ${why}`] });
    const program = await terraformProgram();
    if (program === null) return skipped('neither terraform nor tofu is installed');
    const mirror = await providerMirror(context);
    if (mirror.kind === 'missing') return skipped(mirror.why);
    const checks = new Checks(context);
    const scene = await openScene();
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-terraform-'));
    try {
      const { stage, url } = scene.house;
      const subscription = `/subscriptions/${stage.place.subscriptionId}`;
      await journey({
        scene,
        checks,
        delegates: await openDelegates(scene),
        subscription,
        group: `${subscription}/resourceGroups/${stage.place.resourceGroup}`,
        as: async (who, name, more = { ARM_CLIENT_SECRET: who.secret }) => {
          const terraform = new Terraform(program, join(directory, name), mirror.directory, {
            SSL_CERT_FILE: stage.caFile,
            ARM_METADATA_HOSTNAME: new URL(url).host,
            ARM_TENANT_ID: stage.place.tenantId,
            ARM_SUBSCRIPTION_ID: stage.place.subscriptionId,
            ARM_CLIENT_ID: who.appId,
            ...more,
          });
          terraform.write(configuration(''));
          await terraform.ask('init');
          return terraform;
        },
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
      await scene.close();
    }
    return checks.result();
  },
};

function configuration(resources: string): string {
  return `
terraform {
  required_providers {
    azurerm = {
      source  = "registry.terraform.io/hashicorp/azurerm"
      version = "${providerVersion}"
    }
  }
}

provider "azurerm" {
  features {}
  use_cli                         = false
  resource_provider_registrations = "none"
}
${resources}`;
}

/** What a team would keep in Terraform: a role of its own, a plain assignment, and one under a condition. */
function household({ scene, group }: Stage, description: string): string {
  const { workspace, outputs } = scene.cast.scopes;
  return configuration(`
data "azurerm_client_config" "me" {}

data "azurerm_role_definition" "blobs" {
  name = "Storage Blob Data Reader"
}

data "azurerm_role_definition" "reader" {
  role_definition_id = "${roleIds.reader}"
  scope              = "${workspace}"
}

resource "azurerm_role_definition" "promoter" {
  name        = "Model promoter"
  scope       = "${group}"
  description = "${description}"

  permissions {
    actions     = ["Microsoft.MachineLearningServices/workspaces/models/*"]
    not_actions = ["Microsoft.MachineLearningServices/workspaces/models/delete"]
  }
}

resource "azurerm_role_assignment" "named" {
  scope                = "${outputs}"
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = "${scene.cast.grace}"
}

resource "azurerm_role_assignment" "conditional" {
  scope              = "${workspace}"
  role_definition_id = data.azurerm_role_definition.reader.id
  principal_id       = "${scene.cast.grace}"
  principal_type     = "User"
  description        = "${description}"
  condition_version  = "2.0"
  condition          = ${JSON.stringify(notJobs)}
}

resource "azurerm_role_assignment" "custom" {
  scope              = "${group}"
  role_definition_id = azurerm_role_definition.promoter.role_definition_resource_id
  principal_id       = "${scene.cast.engineers}"
}

output "client" {
  value = data.azurerm_client_config.me.client_id
}

output "object" {
  value = data.azurerm_client_config.me.object_id
}

output "blobs" {
  value = data.azurerm_role_definition.blobs.role_definition_id
}

output "conditional" {
  value = azurerm_role_assignment.conditional.id
}
`);
}

async function journey(stage: Stage): Promise<void> {
  const { checks, delegates, scene } = stage;
  const { admin } = scene.house;
  const terraform = await stage.as(delegates.platform, 'platform');
  const inPlace = async (): Promise<unknown[]> => {
    const path = `${stage.group}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`;
    const filter = encodeURIComponent(`principalId eq '${scene.cast.grace}'`);
    const { value } = await admin.get<{ value: { properties: unknown }[] }>(`${path}&$filter=${filter}`);
    return value.map(({ properties }) => properties);
  };
  const before = await inPlace();

  const applied = await checks.check(
    'apply makes roles and assignments, with and without a condition',
    async () => {
      terraform.write(household(stage, 'Made by Terraform.'));
      await terraform.ask('apply', '-auto-approve');
      const outputs = outputsSchema.parse(JSON.parse(await terraform.ask('output', '-json')));
      const value = (name: string) => outputs[name]?.value;
      deepStrictEqual(
        [value('client'), value('object'), value('blobs')],
        [delegates.platform.appId, delegates.platform.id, roleIds.storageBlobDataReader],
      );
      strictEqual((await inPlace()).length, before.length + 2);
      return value('conditional') ?? '';
    },
  );
  if (applied === null) return;

  await checks.check('a second plan is empty', async () => {
    await terraform.ask('plan', '-detailed-exitcode');
  });

  await checks.check('what changed beside it is seen, and put right', async () => {
    const path = `${applied}?api-version=2022-04-01`;
    const { properties } = await admin.get<{ properties: Record<string, unknown> }>(path);
    const loosened = { ...properties, condition: null, conditionVersion: null };
    await admin.change('PUT', path, { properties: loosened }, [200]);
    strictEqual((await terraform.run('plan', '-detailed-exitcode')).exitCode, 2);
    await terraform.ask('apply', '-auto-approve');
    partialDeepStrictEqual(await admin.get(path), { properties: { condition: notJobs } });
  });

  await checks.check('a description is changed in place, of a role and of an assignment', async () => {
    terraform.write(household(stage, 'Kept by Terraform.'));
    await terraform.ask('plan', '-out=changes');
    const plan = planSchema.parse(JSON.parse(await terraform.ask('show', '-json', 'changes')));
    const changes = plan.resource_changes.filter(({ change }) => change.actions.join() !== 'no-op');
    deepStrictEqual(
      changes
        .map(({ address, change }) => [address, change.actions.join()])
        .filter(([, how]) => how !== 'read'),
      [
        ['azurerm_role_assignment.conditional', 'update'],
        ['azurerm_role_definition.promoter', 'update'],
      ],
    );
    await terraform.ask('apply', 'changes');
    await terraform.ask('plan', '-detailed-exitcode');
  });

  await checks.check('an assignment that is there is imported, and planned without a change', async () => {
    await terraform.ask('state', 'rm', 'azurerm_role_assignment.conditional');
    await terraform.ask('import', 'azurerm_role_assignment.conditional', applied);
    await terraform.ask('plan', '-detailed-exitcode');
  });

  await withoutSecret(stage);
  await refusals(stage);

  await checks.check('destroy takes away what it made, and nothing else', async () => {
    await terraform.ask('destroy', '-auto-approve');
    deepStrictEqual(await inPlace(), before);
    const roles = `${stage.group}/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01`;
    const filter = encodeURIComponent("roleName eq 'Model promoter'");
    deepStrictEqual((await admin.get<{ value: unknown[] }>(`${roles}&$filter=${filter}`)).value, []);
  });
}

/** A CI run has no secret: the provider fetches the run's token as it does in GitHub Actions. */
async function withoutSecret(stage: Stage): Promise<void> {
  const { checks, scene } = stage;
  await checks.check('a CI run signs in with its own token', async () => {
    const run = scene.issuer.runs['production'];
    const { id, appId } = scene.cast.ci;
    const terraform = await stage.as({ id, appId, secret: '' }, 'ci', {
      ARM_USE_OIDC: 'true',
      ARM_OIDC_REQUEST_URL: run?.requestUrl ?? '',
      ARM_OIDC_REQUEST_TOKEN: run?.requestToken ?? '',
    });
    terraform.write(
      configuration(
        'data "azurerm_client_config" "me" {}\noutput "object" {\n  value = data.azurerm_client_config.me.object_id\n}\n',
      ),
    );
    await terraform.ask('apply', '-auto-approve');
    const outputs = outputsSchema.parse(JSON.parse(await terraform.ask('output', '-json')));
    strictEqual(outputs['object']?.value, id);
  });
}

async function refusals(stage: Stage): Promise<void> {
  const { checks, delegates, scene } = stage;
  const { workspace } = scene.cast.scopes;
  const grant = (role: string, principal: string) =>
    configuration(`
resource "azurerm_role_assignment" "wanted" {
  name               = "${randomUUID()}"
  scope              = "${workspace}"
  role_definition_id = "/subscriptions/${scene.house.stage.place.subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${role}"
  principal_id       = "${principal}"
}
`);
  const denied =
    /AuthorizationFailed: The client '\w+' with object id '[0-9a-f-]{36}' does not have authorization to perform action 'Microsoft.Authorization\/roleAssignments\/write' over scope/;

  await checks.check(
    'who may not give roles is told so in Azure’s words, and which decision it was',
    async () => {
      const terraform = await stage.as(delegates.guest, 'guest');
      terraform.write(grant(roleIds.reader, scene.cast.ada));
      const said = await terraform.refusal('apply', '-auto-approve');
      match(said, denied);
      match(said, /See `lockstep explain dec_\w+`/);
    },
  );

  await checks.check(
    'a constrained delegate gives what it may give, and not Owner, nor anything to itself',
    async () => {
      // The provider reads the definition of the role that it gives, at the subscription.
      await scene.house.admin.change(
        'PUT',
        `${stage.subscription}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=2022-04-01`,
        {
          properties: {
            roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${roleIds.reader}`,
            principalId: delegates.delegate.id,
          },
        },
        [201],
      );
      const terraform = await stage.as(delegates.delegate, 'delegate');
      for (const [role, principal] of [
        [roleIds.owner, scene.cast.ada],
        [roleIds.owner, delegates.delegate.id],
        [roleIds.storageBlobDataReader, delegates.delegate.id],
      ] as const) {
        terraform.write(grant(role, principal));
        match(await terraform.refusal('apply', '-auto-approve'), denied);
      }
      terraform.write(grant(roleIds.storageBlobDataReader, scene.cast.ada));
      await terraform.ask('apply', '-auto-approve');
      await terraform.ask('destroy', '-auto-approve');
    },
  );

  await checks.check('a wrong secret is refused in Entra’s words', async () => {
    const terraform = await stage.as(delegates.guest, 'stranger', { ARM_CLIENT_SECRET: 'guessed' });
    terraform.write(configuration('data "azurerm_client_config" "me" {}\n'));
    match(await terraform.refusal('plan'), /AADSTS7000215: Invalid client secret/);
  });
}
