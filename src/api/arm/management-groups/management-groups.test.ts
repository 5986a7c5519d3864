import { ManagementGroupsAPI, type ManagementGroup } from '@azure/arm-managementgroups';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { by, tenantId } from '../../../identity/testing/identity-room.ts';
import { newGuid, type PrincipalId } from '../../../lib/ids.ts';
import { decide } from '../../../policy/decide.ts';
import type { PrincipalRecord } from '../../../store/changes.ts';
import { putDenyAssignment } from '../../../store/deny-assignments.ts';
import { loadPolicyRows } from '../../../store/policy-rows.ts';
import { putRoleAssignment } from '../../../store/role-assignments.ts';
import { putRoleDefinition } from '../../../store/role-definitions.ts';
import { PolicySnapshot } from '../../../policy/snapshot.ts';
import { until } from '../../../workspace/testing/until.ts';
import { openMlHouse, workspace, type MlHouse } from '../testing/ml-house.ts';

const everyone = '00000000-0000-0000-0000-000000000000' as PrincipalId;
const { subscriptionId } = workspace;
const subscription = `/subscriptions/${subscriptionId}`;
const idOf = (name: string) => `/providers/Microsoft.Management/managementGroups/${name}`;
const scopeOf = (name: string) => idOf(name).toLowerCase();

let house: MlHouse;
let agent: Agent;
let owner: PrincipalRecord;
let azure: ManagementGroupsAPI;
let counter = 0;
let name = (text: string) => text;

function clientOf(person: PrincipalRecord): ManagementGroupsAPI {
  return new ManagementGroupsAPI(house.credentialOf(person), {
    endpoint: house.publicUrl,
    credentialScopes: `${house.publicUrl}/.default`,
    tlsOptions: { ca: readFileSync(house.caCertificatePath, 'utf8') },
    retryOptions: { maxRetries: 0 },
  });
}

beforeAll(async () => {
  house = await openMlHouse({ pageSize: 2 });
  agent = new Agent({ connect: { ca: readFileSync(house.caCertificatePath, 'utf8') } });
  owner = await house.room.person('Olga');
  await house.grant(owner, 'owner', '/');
  azure = clientOf(owner);
});
afterAll(async () => {
  await agent.close();
  await house.close();
});
beforeEach(async () => {
  const round = ++counter;
  name = (text) => `${text}-${round}`;
  await azure.managementGroupSubscriptions.create(tenantId, subscriptionId);
});

const create = (group: string, parent?: string, as = azure) =>
  as.managementGroups.beginCreateOrUpdateAndWait(
    group,
    parent === undefined ? {} : { details: { parent: { id: idOf(parent) } } },
  );
const move = (group: string, parent: string, as = azure) =>
  as.managementGroups.update(group, { parentGroupId: idOf(parent) });
const addSubscription = (group: string, as = azure) =>
  as.managementGroupSubscriptions.create(group, subscriptionId);

async function refused(
  promise: Promise<unknown>,
): Promise<{ code: string; status: number; message: string }> {
  try {
    await promise;
  } catch (error) {
    const { code, statusCode, message } = error as { code: string; statusCode: number; message: string };
    return { code, status: statusCode, message };
  }
  throw new Error('it was not refused');
}

async function send(person: PrincipalRecord, method: Dispatcher.HttpMethod, path: string, body?: unknown) {
  const { token } = await house.credentialOf(person).getToken(`${house.publicUrl}/.default`);
  const response = await request(`${house.publicUrl}${path}`, {
    method,
    dispatcher: agent,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.statusCode, text: await response.body.text() };
}

async function deny(scope: string, given: Partial<Parameters<typeof putDenyAssignment>[2]>): Promise<void> {
  await house.room.feed.commit(by, (tx, record) =>
    putDenyAssignment(tx, record, {
      id: newGuid(),
      name: 'a denial',
      description: '',
      scope,
      permissions: [{ actions: ['*'], notActions: [], dataActions: [], notDataActions: [] }],
      doNotApplyToChildScopes: false,
      principals: [everyone],
      excludePrincipals: [owner.id],
      ...given,
    }),
  );
}

const may = (person: PrincipalRecord, action: string, scope = subscription) =>
  decide(house.snapshot, person.id, { action, dataAction: false, scope }).allowed;
const readJobs = 'Microsoft.MachineLearningServices/workspaces/jobs/read';

describe('the tree', () => {
  test('has a root group named by the tenant above every subscription from the start', async () => {
    const root = await azure.managementGroups.get(tenantId, { expand: 'children' });
    expect(root).toMatchObject({ id: idOf(tenantId), name: tenantId, tenantId });
    expect(root.details?.parent).toBeUndefined();
    expect(root.children).toContainEqual(
      expect.objectContaining({ id: subscription, type: '/subscriptions', name: subscriptionId }),
    );
    expect(await azure.startTenantBackfill()).toEqual({ tenantId, status: 'Completed' });
    expect(await azure.tenantBackfillStatus()).toEqual({ tenantId, status: 'Completed' });
  });

  test('grows, is renamed, read in every way, and shrinks again', async () => {
    const [top, low] = [name('top'), name('low')];
    const made = await azure.managementGroups.beginCreateOrUpdateAndWait(top, { displayName: 'Top of all' });
    expect(made).toMatchObject({
      id: idOf(top),
      type: 'Microsoft.Management/managementGroups',
      name: top,
      displayName: 'Top of all',
      details: { parent: { id: idOf(tenantId), name: tenantId, displayName: 'Tenant Root Group' } },
    });
    await create(low, top);
    await addSubscription(low);
    const renamed: ManagementGroup = await azure.managementGroups.update(top, { displayName: 'Top' });
    expect(renamed.displayName).toBe('Top');

    expect((await azure.managementGroups.get(top)).children).toBeUndefined();
    const once = await azure.managementGroups.get(top, { expand: 'children' });
    expect(once.children).toEqual([
      { id: idOf(low), type: 'Microsoft.Management/managementGroups', name: low, displayName: low },
    ]);
    const all = await azure.managementGroups.get(top, { expand: 'children', recurse: true });
    expect(all.children?.[0]?.children?.map(({ id }) => id)).toEqual([subscription]);
    const groupsOnly = await azure.managementGroups.get(low, {
      expand: 'children',
      filter: 'children.childType ne Subscription',
    });
    expect(groupsOnly.children).toEqual([]);
    const above = await azure.managementGroups.get(low, { expand: 'ancestors' });
    expect(above.details?.managementGroupAncestors).toEqual([top, tenantId]);
    const path = await azure.managementGroups.get(low, { expand: 'path' });
    expect(path.details?.path?.map((each) => each.name)).toEqual([tenantId, top]);

    const listed: string[] = [];
    for await (const group of azure.managementGroups.list()) listed.push(group.name ?? '');
    expect(listed).toEqual(expect.arrayContaining([tenantId, top, low]));
    const beneath: (string | undefined)[] = [];
    for await (const each of azure.managementGroups.listDescendants(tenantId)) beneath.push(each.name);
    expect(beneath).toEqual(expect.arrayContaining([top, low, subscriptionId]));
    expect(new Set(beneath).size).toBe(beneath.length);

    expect((await azure.managementGroupSubscriptions.getSubscription(low, subscriptionId)).parent?.id).toBe(
      idOf(low),
    );
    const held: (string | undefined)[] = [];
    for await (const each of azure.managementGroupSubscriptions.listSubscriptionsUnderManagementGroup(low)) {
      held.push(each.name);
    }
    expect(held).toEqual([subscriptionId]);
    expect(
      await refused(azure.managementGroupSubscriptions.getSubscription(top, subscriptionId)),
    ).toMatchObject({
      status: 404,
    });

    expect(await refused(azure.managementGroups.beginDeleteAndWait(low))).toMatchObject({ status: 400 });
    await azure.managementGroupSubscriptions.delete(low, subscriptionId);
    expect((await azure.managementGroups.get(tenantId, { expand: 'children' })).children).toContainEqual(
      expect.objectContaining({ id: subscription }),
    );
    expect(await refused(azure.managementGroups.beginDeleteAndWait(top))).toMatchObject({
      code: 'ManagementGroupHasChildren',
    });
    await azure.managementGroups.beginDeleteAndWait(low);
    await azure.managementGroups.beginDeleteAndWait(top);
    expect(await refused(azure.managementGroups.get(top))).toMatchObject({ status: 404, code: 'NotFound' });
    await azure.managementGroups.beginDeleteAndWait(top);
  });

  test('tells entities with their chains, and which names are free', async () => {
    const top = name('top');
    await create(top);
    await addSubscription(top);
    const entities = new Map<
      string,
      { chain: string[] | null | undefined; children: number | null | undefined }
    >();
    for await (const each of azure.entities.list()) {
      entities.set(each.name ?? '', { chain: each.parentNameChain, children: each.numberOfChildren });
    }
    expect(entities.get(subscriptionId)).toEqual({ chain: [tenantId, top], children: 0 });
    expect(entities.get(top)).toEqual({ chain: [tenantId], children: 1 });
    const type = 'Microsoft.Management/managementGroups';
    const ask = (text: string) => azure.checkNameAvailability({ name: text, type });
    expect(await ask(name('free'))).toMatchObject({ nameAvailable: true });
    expect(await ask(top.toUpperCase())).toMatchObject({ nameAvailable: false, reason: 'AlreadyExists' });
    expect(await ask('a/b')).toMatchObject({ nameAvailable: false, reason: 'Invalid' });
  });

  test('is six levels deep beneath the root, for what is made and for what is moved', async () => {
    const levels = [1, 2, 3, 4, 5, 6].map((level) => name(`level${level}`));
    let parent = tenantId as string;
    for (const level of levels) {
      await create(level, parent);
      parent = level;
    }
    expect(await refused(create(name('level7'), parent))).toMatchObject({
      code: 'ExceededMaximumDepth',
      status: 400,
    });
    const [tall, below] = [name('tall'), name('below')];
    await create(tall);
    await create(below, tall);
    expect(await refused(move(tall, levels[4] ?? ''))).toMatchObject({ code: 'ExceededMaximumDepth' });
    await move(tall, levels[3] ?? '');
  });

  test('is no ring: a group goes neither beneath itself nor beneath what is beneath it', async () => {
    const [top, low] = [name('top'), name('low')];
    await create(top);
    await create(low, top);
    expect(await refused(move(top, low))).toMatchObject({ code: 'InvalidParent', status: 400 });
    expect(await refused(move(top, top))).toMatchObject({ code: 'InvalidParent' });
    expect(house.snapshot.fault).toBeNull();
  });

  test('stays a tree when two groups are moved beneath each other at once', async () => {
    const [one, two] = [name('one'), name('two')];
    await create(one);
    await create(two);
    const outcomes = await Promise.allSettled([move(one, two), move(two, one)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(house.snapshot.fault).toBeNull();
  });

  test('keeps its root: it is neither moved, nor deleted, nor made anew', async () => {
    const top = name('top');
    await create(top);
    expect(await refused(move(tenantId, top))).toMatchObject({ code: 'InvalidParent' });
    expect(await refused(azure.managementGroups.beginDeleteAndWait(tenantId))).toMatchObject({ status: 400 });
  });

  test.each(['a b', 'ends.', '..', 'a'.repeat(91), 'ä'])('%j is no name of a group', async (text) => {
    const path = `${idOf(encodeURIComponent(text))}?api-version=2023-04-01`;
    expect((await send(owner, 'PUT', path, {})).status).toBeGreaterThanOrEqual(400);
    expect([...house.snapshot.placements()].map(({ displayName }) => displayName)).not.toContain(text);
  });

  test('knows no subscription that is not there, and no parent', async () => {
    expect(await refused(azure.managementGroupSubscriptions.create(tenantId, newGuid()))).toMatchObject({
      code: 'SubscriptionNotFound',
      status: 404,
    });
    expect(await refused(create(name('lost'), 'nowhere'))).toMatchObject({ code: 'NotFound', status: 404 });
    const wrong = { properties: { details: { parent: { id: subscription } } } };
    const path = `${idOf(name('wrong'))}?api-version=2020-05-01`;
    expect(await send(owner, 'PUT', path, wrong)).toMatchObject({ status: 400 });
    expect(await send(owner, 'PUT', path, '{')).toMatchObject({ status: 400 });
  });

  test('is what rows say: a snapshot made from them places everything alike', async () => {
    const fresh = PolicySnapshot.from(await loadPolicyRows(house.room.store.db));
    const sorted = (snapshot: PolicySnapshot) =>
      [...snapshot.placements()].toSorted((a, b) => (a.scope < b.scope ? -1 : 1));
    expect(sorted(fresh)).toEqual(sorted(house.snapshot));
    expect(fresh.ancestors(subscription)).toEqual(house.snapshot.ancestors(subscription));
  });
});

describe('rights', () => {
  test('of a role at a group reach the subscriptions beneath it, at once, and end when they are moved away', async () => {
    const top = name('top');
    const ada = await house.room.person('Ada');
    await create(top);
    await house.grant(ada, 'reader', scopeOf(top));
    expect(may(ada, readJobs)).toBe(false);
    await addSubscription(top);
    expect(may(ada, readJobs)).toBe(true);
    await azure.managementGroupSubscriptions.delete(top, subscriptionId);
    expect(may(ada, readJobs)).toBe(false);
  });

  test('show only what may be seen', async () => {
    const [top, hidden] = [name('top'), name('hidden')];
    await create(top);
    await create(hidden, top);
    const ada = await house.room.person('Ada');
    const hers = clientOf(ada);
    const names = async () => {
      const out: (string | undefined)[] = [];
      for await (const each of hers.managementGroups.list()) out.push(each.name);
      for await (const each of hers.entities.list()) out.push(each.name);
      return out;
    };
    expect(await names()).toEqual([]);
    expect(await refused(hers.managementGroups.get(top))).toMatchObject({
      code: 'AuthorizationFailed',
      status: 403,
    });
    await house.grant(ada, 'managementGroupReader', scopeOf(top));
    await deny(scopeOf(hidden), { principals: [ada.id] });
    expect(await names()).toEqual([top, top]);
    expect((await hers.managementGroups.get(top, { expand: 'children', recurse: true })).children).toEqual(
      [],
    );
    expect((await refused(move(top, tenantId, hers))).code).toBe('AuthorizationFailed');
  });

  test('show what may be seen at the price of two events for each request, however many things are looked at', async () => {
    const top = name('top');
    await create(top);
    for (const child of ['a', 'b', 'c', 'd']) await create(name(child), top);
    const ada = await house.room.person('Ada');
    await house.grant(ada, 'reader', scopeOf(top));
    const nobody = await house.room.person('Nora');
    const version = 'api-version=2021-04-01';
    const requests: [Dispatcher.HttpMethod, string][] = [
      ['GET', `/providers/Microsoft.Management/managementGroups?${version}`],
      ['GET', `${idOf(top)}?$expand=children&$recurse=true&${version}`],
      ['GET', `${idOf(top)}/descendants?${version}`],
      ['POST', `/providers/Microsoft.Management/getEntities?${version}`],
      ['GET', `/subscriptions?${version}`],
    ];
    for (const [method, path] of requests) {
      for (const person of [ada, nobody]) {
        const before = house.facts.length;
        const { status } = await send(person, method, path);
        const told = house.facts.slice(before).filter(({ kind }) => kind !== 'request.ended');
        expect(told[0]).toMatchObject({ kind: 'request.decided', allowed: status === 200 });
        expect(told).toHaveLength(status === 200 ? 2 : 1);
        if (person === ada) expect(status).toBe(200);
        if (status !== 200) continue;
        expect(told[1]).toMatchObject({
          kind: 'request.listed',
          attribution: { decisionId: told[0]?.attribution.decisionId, chain: [{ id: person.id }] },
        });
      }
    }
    const listed = house.facts.findLast(
      (fact) => fact.kind === 'request.listed' && fact.operation.endsWith('descendants/read'),
    );
    expect(listed).toMatchObject({
      asked: [{ action: 'Microsoft.Management/managementGroups/read', looked: 4, allowed: 4 }],
      shown: ['a', 'b', 'c', 'd'].map((child) => scopeOf(name(child))),
    });
  });

  test('a group is made by who may write its parent, and by nobody else', async () => {
    const top = name('top');
    await create(top);
    const ada = await house.room.person('Ada');
    await house.grant(ada, 'managementGroupContributor', scopeOf(top));
    const hers = clientOf(ada);
    expect((await refused(create(name('a'), undefined, hers))).code).toBe('AuthorizationFailed');
    expect((await refused(create(name('a'), tenantId, hers))).code).toBe('AuthorizationFailed');
    expect((await create(name('a'), top, hers)).name).toBe(name('a'));
    // Making a group makes nobody its Owner.
    expect([...house.snapshot.assignmentsAt([scopeOf(name('a'))])]).toEqual([]);
    await hers.managementGroups.beginDeleteAndWait(name('a'));
  });

  test('a subscription is moved by who may assign roles at it and write both groups', async () => {
    const [from, to] = [name('from'), name('to')];
    await create(from);
    await create(to);
    await addSubscription(from);
    const ada = await house.room.person('Ada');
    const hers = clientOf(ada);
    const attempt = () => addSubscription(to, hers);
    expect((await refused(attempt())).message).toContain('managementGroups/subscriptions/write');
    await house.grant(ada, 'managementGroupContributor', scopeOf(to));
    expect((await refused(attempt())).message).toContain('managementGroups/write');
    await house.grant(ada, 'contributor', subscription);
    expect((await refused(attempt())).message).toContain('roleAssignments/write');
    await house.grant(ada, 'owner', subscription);
    expect((await refused(attempt())).message).toContain(
      `managementGroups/write' over scope '${scopeOf(from)}'`,
    );
    await house.grant(ada, 'managementGroupContributor', scopeOf(from));
    await attempt();
    // The root is where subscriptions land: no right on it is needed to leave one there.
    await hers.managementGroupSubscriptions.delete(to, subscriptionId);
    await addSubscription(tenantId, hers);
  });

  test('nobody moves what they run beneath a group that they own, to own it', async () => {
    const mine = name('mine');
    const mallory = await house.room.person('Mallory');
    await create(mine);
    await house.grant(mallory, 'owner', scopeOf(mine));
    await house.grant(mallory, 'contributor', subscription);
    const hers = clientOf(mallory);
    expect((await refused(addSubscription(mine, hers))).code).toBe('AuthorizationFailed');
    const child = name('child');
    await create(child);
    await house.grant(mallory, 'managementGroupContributor', scopeOf(child));
    expect((await refused(move(child, mine, hers))).code).toBe('AuthorizationFailed');
    expect(may(mallory, 'Microsoft.Authorization/roleAssignments/write')).toBe(false);
  });

  test('whoever may assign some roles only moves nothing beneath a group that would give others', async () => {
    const to = name('to');
    await create(to);
    const mallory = await house.room.person('Mallory');
    await house.grant(mallory, 'managementGroupContributor', scopeOf(to));
    await house.grant(mallory, 'managementGroupContributor', subscription);
    await house.room.feed.commit(by, (tx, record) =>
      putRoleAssignment(tx, record, {
        id: newGuid(),
        scope: subscription,
        roleDefinitionId: 'f58310d9-a9f6-439a-9e8d-f62e7b41a168',
        principalId: mallory.id,
        principalType: 'User',
        description: '',
        // True of a request that says nothing of the role; false of one that assigns Owner.
        condition:
          'NOT (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] GuidEquals ' +
          '8e3af657-a8ff-443c-a75c-2fe8c4bcb635) AND NOT Exists ' +
          '@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]',
        createdOn: new Date().toISOString(),
        createdBy: 'tests',
      }),
    );
    await house.grant(mallory, 'owner', scopeOf(to));
    expect((await refused(addSubscription(to, clientOf(mallory)))).message).toContain(
      'roleAssignments/write',
    );
  });

  test('nobody moves out from beneath a denial that they may not lift', async () => {
    const [held, free] = [name('held'), name('free')];
    await create(held);
    await create(free);
    const mallory = await house.room.person('Mallory');
    await addSubscription(held);
    await deny(scopeOf(held), {
      name: 'legal hold',
      permissions: [
        {
          actions: ['*/workspaces/delete', '*/denyAssignments/*'],
          notActions: [],
          dataActions: [],
          notDataActions: [],
        },
      ],
      excludePrincipals: [owner.id],
    });
    await house.grant(mallory, 'owner', subscription);
    await house.grant(mallory, 'owner', scopeOf(held));
    await house.grant(mallory, 'owner', scopeOf(free));
    const hers = clientOf(mallory);
    for (const attempt of [
      () => addSubscription(free, hers),
      () => addSubscription(tenantId, hers),
      () => hers.managementGroupSubscriptions.delete(held, subscriptionId),
      () => move(held, free, hers).then(() => addSubscription(tenantId, hers)),
    ]) {
      expect((await refused(attempt())).message).toContain('denyAssignments/delete');
    }
    await azure.managementGroupSubscriptions.delete(held, subscriptionId);
  });

  test('a move that became another one while it was decided is not carried out', async () => {
    const [to, above] = [name('to'), name('above')];
    await create(to);
    await create(above);
    const stranger = await house.room.person('Stranger');
    // The grant is made, and the group moved, in the turns between the decision on the move and its transaction.
    const [moved] = await Promise.allSettled([
      addSubscription(to),
      ...Array.from({ length: 12 }, () => house.grant(stranger, 'owner', scopeOf(to)).catch(() => undefined)),
    ]);
    const reached = may(stranger, readJobs);
    // Either the move came first and the grant was given knowingly, or it was decided with the grant in sight.
    expect(moved.status === 'fulfilled' || !reached).toBe(true);
  });

  test('a role that could no longer be assigned holds what it is assigned at in its place', async () => {
    const from = name('from');
    await create(from);
    await addSubscription(from);
    const ada = await house.room.person('Ada');
    const role = newGuid();
    await house.room.feed.commit(by, async (tx, record) => {
      await putRoleDefinition(
        tx,
        record,
        {
          id: role,
          roleName: name('Within'),
          description: '',
          type: 'CustomRole',
          permissions: [{ actions: ['*/read'], notActions: [], dataActions: [], notDataActions: [] }],
          assignableScopes: [scopeOf(from)],
        },
        0,
      );
      await putRoleAssignment(tx, record, {
        id: newGuid(),
        scope: `${subscription}/resourcegroups/rg`,
        roleDefinitionId: role,
        principalId: ada.id,
        principalType: 'User',
        description: '',
        createdOn: '2026-01-01T00:00:00Z',
        createdBy: 'tests',
      });
    });
    const error = await refused(addSubscription(tenantId));
    expect(error).toMatchObject({ code: 'RoleAssignmentsOutOfScope', status: 400 });
    await house.room.feed.commit(by, async (tx, record) => {
      const row = await tx
        .selectFrom('role_assignments')
        .selectAll()
        .where('role_definition_id', '=', role)
        .execute();
      for (const { id } of row) {
        const assignment = house.snapshot.roleAssignment(id);
        if (!assignment) throw new Error('it is not there');
        await tx.deleteFrom('role_assignments').where('id', '=', id).execute();
        record({ kind: 'role-assignment.deleted', assignment });
      }
    });
    await addSubscription(tenantId);
  });

  test('what was assigned at a deleted group does not come back with its name', async () => {
    const top = name('top');
    const mallory = await house.room.person('Mallory');
    await create(top);
    await house.grant(mallory, 'owner', scopeOf(top));
    await deny(scopeOf(top), { principals: [mallory.id] });
    await azure.managementGroups.beginDeleteAndWait(top);
    await create(top);
    await addSubscription(top);
    expect(may(mallory, readJobs)).toBe(false);
    expect([...house.snapshot.denyAssignments()].filter(({ scope }) => scope === scopeOf(top))).toEqual([]);
  });

  test('whoever holds a subscription through its group cannot move it out of their own hands', async () => {
    const [from, to] = [name('from'), name('to')];
    await create(from);
    await create(to);
    await addSubscription(from);
    const ada = await house.room.person('Ada');
    await house.grant(ada, 'owner', scopeOf(from));
    await house.grant(ada, 'contributor', scopeOf(to));
    const hers = clientOf(ada);
    expect(await refused(addSubscription(to, hers))).toMatchObject({
      code: 'MoveWouldLoseOwnership',
      status: 400,
    });
    await house.grant(ada, 'owner', scopeOf(to));
    await addSubscription(to, hers);
  });

  test('a request that is being served is cut when what it stands on is moved away', async () => {
    const [top, low] = [name('top'), name('low')];
    await create(top);
    await create(low, top);
    const ada = await house.room.person('Ada');
    await house.grant(ada, 'owner', scopeOf(top));
    const { token } = await house.credentialOf(ada).getToken(`${house.publicUrl}/.default`);
    // The head is let in; the body that would complete the request never comes.
    const body = new PassThrough();
    body.write('{');
    const ended = Promise.allSettled([
      request(`${house.publicUrl}${idOf(low)}?api-version=2020-05-01`, {
        method: 'PATCH',
        dispatcher: agent,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
      }),
    ]);
    await until(
      async () => house.sessions.list().some(({ method, path }) => method === 'PATCH' && path === idOf(low)),
      'the request to be let in',
    );
    const before = house.room.feed.kinds().length;
    await move(low, tenantId);
    expect(house.room.feed.kinds().slice(before)).toEqual(['scope.placed']);
    const [outcome] = await ended;
    expect(outcome.status === 'rejected' || outcome.value.statusCode === 403).toBe(true);
    body.destroy();
  });
});

test('the hierarchy settings say what always holds, and take nothing else', async () => {
  const settings = azure.hierarchySettingsOperations;
  const holds = {
    id: `${idOf(tenantId)}/settings/default`,
    name: 'default',
    tenantId,
    requireAuthorizationForGroupCreation: true,
    defaultManagementGroup: idOf(tenantId),
  };
  expect(await settings.get(tenantId)).toMatchObject(holds);
  expect((await settings.list(tenantId)).value).toMatchObject([holds]);
  const same = { requireAuthorizationForGroupCreation: true, defaultManagementGroup: idOf(tenantId) };
  expect(await settings.createOrUpdate(tenantId, same)).toMatchObject(holds);
  expect(await settings.update(tenantId, {})).toMatchObject(holds);
  await create(name('elsewhere'));
  for (const other of [
    () => settings.createOrUpdate(tenantId, { requireAuthorizationForGroupCreation: false }),
    () => settings.update(tenantId, { defaultManagementGroup: idOf(name('elsewhere')) }),
    () => settings.delete(tenantId),
  ])
    expect(await refused(other())).toMatchObject({ status: 400, code: 'HierarchySettingsNotSupported' });
  expect(await refused(settings.get(name('elsewhere')))).toMatchObject({ status: 400 });
  expect(await refused(settings.get(name('nowhere')))).toMatchObject({ status: 404 });
  expect(await settings.get(tenantId)).toMatchObject(holds);

  const reader = await house.room.person('Rita');
  await house.grant(reader, 'reader', idOf(tenantId).toLowerCase());
  const stranger = await house.room.person('Sam');
  expect(await clientOf(reader).hierarchySettingsOperations.get(tenantId)).toMatchObject(holds);
  for (const answer of [
    () => clientOf(reader).hierarchySettingsOperations.createOrUpdate(tenantId, same),
    () => clientOf(stranger).hierarchySettingsOperations.get(tenantId),
  ])
    expect(await refused(answer())).toMatchObject({ status: 403 });
  // What they say of making groups is so.
  expect(await refused(create(name('unasked'), undefined, clientOf(reader)))).toMatchObject({ status: 403 });
});
