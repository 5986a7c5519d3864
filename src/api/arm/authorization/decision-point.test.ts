import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { by } from '../../../identity/testing/identity-room.ts';
import { newGuid, type PrincipalId } from '../../../lib/ids.ts';
import { roleIds } from '../../../policy/built-in-roles.ts';
import { everyone } from '../../../policy/snapshot.ts';
import type { PrincipalRecord } from '../../../store/changes.ts';
import { deleteDenyAssignment, putDenyAssignment } from '../../../store/deny-assignments.ts';
import { putRoleAssignment } from '../../../store/role-assignments.ts';
import { putRoleDefinition } from '../../../store/role-definitions.ts';
import { normalId } from '../../../workspace/resource-ids.ts';
import { openMlHouse, workspace, type MlHouse } from '../testing/ml-house.ts';

// A gateway of somebody else's guards a cluster and asks who may do what there.
const group = `/subscriptions/${workspace.subscriptionId}/resourceGroups/${workspace.resourceGroup}`;
const cluster = `${group}/providers/Contoso.Compute/clusters/blue`;
const other = `${group}/providers/Contoso.Compute/clusters/red`;
const address = '/providers/Microsoft.Authorization/checkAccess?api-version=2021-06-01-preview';
const submit = 'Contoso.Compute/clusters/jobs/write';
const attributesRight = 'Lockstep.Access/decisions/attributes/action';

let house: MlHouse;
let agent: Agent;
let gateway: PrincipalRecord;
let trusted: PrincipalRecord;
let ada: PrincipalRecord;
let team: PrincipalRecord;

const answers = z.object({
  value: z.array(
    z.looseObject({
      actionId: z.string(),
      isDataAction: z.boolean(),
      accessDecision: z.string(),
      roleAssignment: z.looseObject({ id: z.string(), principalId: z.string() }).optional(),
      denyAssignment: z.looseObject({ id: z.string() }).optional(),
    }),
  ),
});
const refusals = z.looseObject({
  statusCode: z.number(),
  message: z.string(),
  error: z.looseObject({ code: z.string(), message: z.string() }),
});

async function post(body: unknown, as = gateway, audience = 'https://authorization.azure.net') {
  const { token } = await house.credentialOf(as).getToken(`${audience}/.default`);
  const response = await request(`${house.publicUrl}${address}`, {
    method: 'POST',
    dispatcher: agent,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.statusCode, body: await response.body.json() };
}

interface Asked {
  readonly subject?: object;
  readonly action?: object;
  readonly resource?: object;
  readonly environment?: object;
  readonly id?: string;
}

const question = (who: string, { subject, action, resource, environment, id = cluster }: Asked = {}) => ({
  Subject: { Attributes: { ObjectId: who, ...subject } },
  Actions: [{ Id: submit, IsDataAction: true, Attributes: action ?? null }],
  Resource: { Id: id, Attributes: resource ?? null },
  Environment: { Attributes: environment ?? null },
});

async function decisionOn(who: string, asked: Asked = {}, as = gateway): Promise<string | undefined> {
  const { status, body } = await post(question(who, asked), as);
  expect(status).toBe(200);
  return answers.parse(body).value[0]?.accessDecision;
}

async function refusalOf(body: unknown, as = gateway, audience?: string): Promise<[string, number]> {
  const answer = await post(body, as, audience);
  const { error, statusCode, message } = refusals.parse(answer.body);
  expect([statusCode, message]).toEqual([answer.status, error.message]);
  return [error.code, answer.status];
}

async function assign(principal: PrincipalRecord, role: string, scope: string, condition?: string) {
  const id = newGuid();
  await house.room.feed.commit(by, (tx, record) =>
    putRoleAssignment(tx, record, {
      id,
      scope: normalId(scope),
      roleDefinitionId: role,
      principalId: principal.id,
      principalType: principal.kind === 'group' ? 'Group' : 'User',
      description: '',
      createdOn: new Date().toISOString(),
      createdBy: gateway.id,
      ...(condition === undefined ? {} : { condition }),
    }),
  );
  return id;
}

/** A person to whom the role of a cluster's user is given under this condition. */
async function personWith(condition: string): Promise<PrincipalRecord> {
  const person = await house.room.person('Conditional');
  await assign(person, userRole, cluster, condition);
  return person;
}

const userRole = newGuid();
const askerRole = newGuid();

beforeAll(async () => {
  house = await openMlHouse();
  agent = new Agent({ connect: { ca: readFileSync(house.caCertificatePath, 'utf8') } });
  gateway = await house.room.person('Gateway');
  trusted = await house.room.person('Trusted');
  ada = await house.room.person('Ada');
  team = await house.room.directory.createGroup(by, { displayName: 'Team' });
  await house.room.feed.commit(by, async (tx, record) => {
    const permissions = { notActions: [], notDataActions: [] };
    for (const [id, roleName, actions, dataActions] of [
      [userRole, 'Cluster user', [], ['Contoso.Compute/clusters/jobs/*']],
      [askerRole, 'Trusted asker', ['Microsoft.Authorization/checkAccess/read', attributesRight], []],
    ] as const) {
      const definition = {
        id,
        roleName,
        type: 'CustomRole' as const,
        description: '',
        permissions: [{ ...permissions, actions, dataActions }],
        assignableScopes: ['/'],
      };
      await putRoleDefinition(tx, record, definition, Date.now());
    }
  });
  await assign(gateway, roleIds.reader, cluster);
  await assign(trusted, askerRole, cluster);
});

afterAll(async () => {
  await agent.close();
  await house.close();
});

describe('the decision point', () => {
  it('answers from the directory and the roles, naming the assignment', async () => {
    await house.room.directory.addMember(by, team.id, ada.id);
    const granted = await assign(team, userRole, group);
    const { status, body } = await post({
      ...question(ada.id),
      Actions: [{ Id: submit, IsDataAction: true }, { Id: submit }],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      value: [
        {
          actionId: submit,
          isDataAction: true,
          accessDecision: 'Allowed',
          roleAssignment: {
            id: expect.stringContaining(granted) as unknown,
            principalId: team.id,
            principalType: 'Group',
            scope: normalId(group),
          },
          timeToLiveInMs: 1_000,
        },
        { isDataAction: false, accessDecision: 'NotAllowed' },
      ],
    });
    const [, notAllowed] = answers.parse(body).value;
    expect(notAllowed).not.toHaveProperty('roleAssignment');
    expect(notAllowed).not.toHaveProperty('denyAssignment');
  });

  it('names the deny assignment that forbids', async () => {
    const denial = {
      id: newGuid(),
      name: 'incident',
      description: '',
      scope: normalId(cluster),
      permissions: [{ actions: [], notActions: [], dataActions: ['*'], notDataActions: [] }],
      doNotApplyToChildScopes: false,
      principals: [everyone as PrincipalId],
      excludePrincipals: [],
    };
    await house.room.feed.commit(by, (tx, record) => putDenyAssignment(tx, record, denial));
    const { body } = await post(question(ada.id));
    expect(answers.parse(body).value[0]).toMatchObject({
      accessDecision: 'Denied',
      denyAssignment: { id: expect.stringContaining(denial.id) as unknown, denyAssignmentName: 'incident' },
    });
    await house.room.feed.commit(by, (tx, record) => deleteDenyAssignment(tx, record, denial));
    expect(await decisionOn(ada.id)).toBe('Allowed');
  });

  it('is asked with the right to ask at that very resource, whatever else may be read', async () => {
    expect(await refusalOf(question(ada.id, { id: other }))).toEqual(['AuthorizationFailed', 403]);
    expect(await refusalOf(question(ada.id), ada)).toEqual(['AuthorizationFailed', 403]);
    expect(await refusalOf(question(newGuid(), { id: other }))).toEqual(['AuthorizationFailed', 403]);
    const recorded = house.facts.some(
      (fact) =>
        fact.kind === 'request.decided' &&
        fact.surface === 'decision-point' &&
        JSON.stringify(fact).includes(normalId(other)),
    );
    expect(recorded).toBe(true);
  });

  it('takes a token for nothing else, and a token for it opens nothing else', async () => {
    expect((await post(question(ada.id), gateway, 'https://graph.microsoft.com')).status).toBe(401);
    const { token } = await house.credentialOf(gateway).getToken('https://authorization.azure.net/.default');
    const listing = await request(
      `${house.publicUrl}${cluster}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`,
      { dispatcher: agent, headers: { authorization: `Bearer ${token}` } },
    );
    expect(listing.statusCode).toBe(401);
    await listing.body.dump();
  });

  it.each<[string, object, string]>([
    ['no subject', { Subject: {} }, 'InvalidRequestContent'],
    ['a subject that is no id', { Subject: { Attributes: { ObjectId: 'ada' } } }, 'InvalidSubject'],
    [
      'a subject of another tenant',
      { Subject: { Attributes: { ObjectId: newGuid(), tid: newGuid() } } },
      'InvalidSubject',
    ],
    ['no action', { Actions: [] }, 'InvalidRequestContent'],
    ['a resource that is no scope', { Resource: { Id: 'https://elsewhere/x' } }, 'InvalidResource'],
    ['a resource named twice', { Resource: { Id: other, id: cluster } }, 'InvalidRequestContent'],
  ])('refuses %s in words', async (_what, change, code) => {
    expect(await refusalOf({ ...question(newGuid()), ...change })).toEqual([code, 400]);
  });
});

describe('what a question says of its subject', () => {
  it('never widens the answer: groups, roles and everything else in it are not believed', async () => {
    const stranger = await house.room.person('Stranger');
    const told = {
      Groups: [team.id],
      RoleTemplate: ['62e90394-69f5-4237-9190-012177145e10'],
      _claim_names: '{"groups":"src1"}',
      Scope: 'user_impersonation',
      ApplicationId: ada.id,
    };
    expect(await decisionOn(stranger.id, { subject: told })).toBe('NotAllowed');
    expect(await decisionOn(ada.id, { subject: { Groups: [] } })).toBe('Allowed');
  });

  it('knows whoever cannot act: unknown, disabled, a group', async () => {
    expect(await decisionOn(newGuid())).toBe('NotAllowed');
    expect(await decisionOn(team.id)).toBe('NotAllowed');
    const leaver = await house.room.person('Leaver');
    await assign(leaver, userRole, cluster);
    expect(await decisionOn(leaver.id)).toBe('Allowed');
    await house.room.directory.setEnabled(by, leaver.id, false);
    expect(await decisionOn(leaver.id)).toBe('NotAllowed');
  });

  it('answers for an application only while a person answers for it', async () => {
    const sponsor = await house.room.person('Sponsor');
    const app = await house.room.application('Nightly', sponsor.id);
    await assign(app, userRole, cluster);
    expect(await decisionOn(app.id)).toBe('Allowed');
    await house.room.directory.setEnabled(by, sponsor.id, false);
    expect(await decisionOn(app.id)).toBe('NotAllowed');
  });
});

describe('attributes in a question', () => {
  const resource = '@Resource[Contoso.Compute/clusters:purpose]';
  const asked = '@Request[Contoso.Compute/clusters/jobs:gpuCount]';

  it('are what conditions see, if the asker is trusted with them at that resource', async () => {
    const person = await personWith(`${resource} StringEquals 'research' AND ${asked} NumericLessThan 8`);
    const told = (purpose: string, gpuCount: number): Asked => ({
      resource: { 'Contoso.Compute/clusters:purpose': purpose },
      action: { 'Contoso.Compute/clusters/jobs:gpuCount': gpuCount },
    });
    expect(await decisionOn(person.id, told('research', 4), trusted)).toBe('Allowed');
    expect(await decisionOn(person.id, told('research', 8), trusted)).toBe('NotAllowed');
    expect(await decisionOn(person.id, told('marketing', 4), trusted)).toBe('NotAllowed');
    expect(await decisionOn(person.id, {}, trusted)).toBe('NotAllowed');
    expect(await decisionOn(person.id)).toBe('NotAllowed');
    expect(await refusalOf(question(person.id, told('research', 4)))).toEqual(['AuthorizationFailed', 403]);
  });

  it('cannot be tried out by a reader, to learn what somebody else’s security attributes are', async () => {
    const person = await personWith(
      '@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Hr_level] StringEquals @Resource[Contoso.Compute/clusters:level]',
    );
    const guess = question(person.id, { resource: { 'Contoso.Compute/clusters:level': 'secret' } });
    expect(await refusalOf(guess)).toEqual(['AuthorizationFailed', 403]);
  });

  it.each([
    ['UtcNow', { environment: { UtcNow: '1999-01-01T00:00:00Z' } }],
    ['the CI run', { environment: { 'Lockstep.Access/ci:repository': 'acme/model' } }],
    [
      'a security attribute',
      { resource: { 'Microsoft.Directory/CustomSecurityAttributes/Id:Hr_level': 'x' } },
    ],
    ['what is assigned', { action: { 'Microsoft.Authorization/roleAssignments:PrincipalType': 'User' } }],
    ['a tag', { resource: { 'Contoso.Compute/clusters/tags:Project<$key_case_sensitive$>': 'x' } }],
    ['a tag of no type', { resource: { 'TAGS:Project': 'x' } }],
  ])('are refused of %s even from whoever is trusted: that is known here', async (_what, asked) => {
    expect(await refusalOf(question(ada.id, asked), trusted)).toEqual(['InvalidAttributes', 400]);
  });

  it('do not replace the names that are in the id, nor the time', async () => {
    const scope = `${group}/providers/Microsoft.Storage/storageAccounts/pictures/blobServices/default/containers/cats`;
    await assign(gateway, roleIds.reader, scope);
    await assign(trusted, askerRole, scope);
    const container = '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]';
    const person = await house.room.person('Named');
    await assign(
      person,
      userRole,
      scope,
      `${container} StringEquals 'cats' AND @Environment[UtcNow] DateTimeGreaterThan '2020-01-01T00:00:00.0Z'`,
    );
    expect(await decisionOn(person.id, { id: scope })).toBe('Allowed');
    const lie = { 'Microsoft.Storage/storageAccounts/blobServices/containers:name': 'dogs' };
    expect(await decisionOn(person.id, { id: scope, resource: lie }, trusted)).toBe('Allowed');
    const late = await personWith("@Environment[UtcNow] DateTimeLessThan '2020-01-01T00:00:00.0Z'");
    expect(await decisionOn(late.id)).toBe('NotAllowed');
  });

  it('may tell of the network what only the asker can know', async () => {
    const person = await personWith('@Environment[isPrivateLink] BoolEquals true');
    expect(await decisionOn(person.id, { environment: { isPrivateLink: true } }, trusted)).toBe('Allowed');
    expect(await decisionOn(person.id, {}, trusted)).toBe('NotAllowed');
  });

  it.each([
    ['an object', { x: { y: 1 } }],
    ['a broken number', { x: 1.5 }],
    ['the same name twice', { 'a:B': 1, 'a:b': 2 }],
  ])('are refused as %s', async (_what, told) => {
    expect(await refusalOf(question(ada.id, { resource: told }), trusted)).toEqual([
      'InvalidRequestContent',
      400,
    ]);
  });
});
