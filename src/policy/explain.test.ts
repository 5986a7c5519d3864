import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { roleIds } from './built-in-roles.ts';
import { decide, decideForAll } from './decide.ts';
import { explain } from './explain.ts';
import { resourceScopes } from './grant-scopes.ts';
import { renderExplanation } from './render-explanation.ts';
import { PolicySnapshot } from './snapshot.ts';
import {
  account,
  ada,
  assignment,
  ben,
  cleo,
  deny,
  group,
  id,
  job,
  patients,
  person,
  platformTeam,
  rows,
  subscription,
  training,
  visionTeam,
  workspace,
} from './testing/people.ts';
import { accesses, changes, firstWorld, users } from './testing/world.ts';
import type { Access } from './types.ts';

const blobRead = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
const patientData: Access = { action: blobRead, dataAction: true, scope: `${patients}/blobs/scans/a.csv` };
const trainingData: Access = { ...patientData, scope: `${training}/blobs/a.csv` };

describe('an explanation', () => {
  const snapshot = PolicySnapshot.from(rows);

  test('of an allow names the assignment, its role and the way through the groups', () => {
    const submit = {
      action: 'Microsoft.MachineLearningServices/workspaces/jobs/write',
      dataAction: false,
      scope: workspace,
    };
    const [authority] = explain(snapshot, [ada], submit).authorities;
    expect(authority?.grantedBy).toMatchObject({ roleName: 'AzureML Data Scientist', scope: group });
    expect(authority?.grantedBy?.through.map((step) => step.name)).toEqual(['Vision team', 'Researchers']);
  });

  test('of a job at the wall says what is missing, what came nearest, where, with which role and from whom', () => {
    const [, authority] = explain(snapshot, [ada, job], patientData).authorities;
    const remedy = authority?.remedy;
    expect(remedy?.missing).toEqual({ kind: 'data action', name: blobRead });
    expect(remedy?.nearest[0]).toMatchObject({
      assignment: { roleName: 'Storage Blob Data Reader', scope: training },
      shortfall: { kind: 'other-scope' },
    });
    expect(remedy?.scopes.slice(0, 4)).toEqual([
      subscription,
      group,
      account,
      patients.replace('/containers/patients', ''),
    ]);
    expect(remedy?.scopes.at(-1)).toBe(patientData.scope);
    expect(remedy?.scopes).toContain(patients);
    expect(remedy?.scopes).not.toContain('/');
    expect(remedy?.roles.map((role) => role.roleName)).toEqual([
      'Storage Blob Data Reader',
      'Storage Blob Data Contributor',
      'Storage Blob Data Owner',
    ]);
    expect(remedy?.grantors).toMatchObject([
      { principal: { name: 'Platform team' }, people: [{ name: 'Ben' }] },
    ]);
    expect(remedy?.ifGranted).toMatchObject({
      allowed: false,
      stillDenied: [{ principal: { name: 'Ada' } }],
    });
  });

  test('says that it would be enough when the rest of the chain is allowed', () => {
    const fewer = { ...rows, roleAssignments: rows.roleAssignments.filter((row) => row.principalId !== job) };
    const { authorities } = explain(PolicySnapshot.from(fewer), [ada, job], trainingData);
    expect(authorities[1]?.remedy?.ifGranted).toEqual({ allowed: true, stillDenied: [] });
  });

  test('that granting any listed role at any listed scope allows is true', () => {
    const { remedy } = explain(snapshot, [ada], patientData).authorities[0] ?? {};
    for (const role of remedy?.roles ?? []) {
      for (const scope of remedy?.scopes ?? []) {
        const roleAssignments = [...rows.roleAssignments, assignment(99, scope, role.id, ada)];
        const granted = PolicySnapshot.from({ ...rows, roleAssignments });
        expect(decideForAll(granted, [ada], patientData).allowed).toBe(true);
      }
    }
    expect(remedy?.roles).not.toHaveLength(0);
  });

  test('never advises a role that only jobs are given', () => {
    for (const name of ['jobs/read', 'models/versions/read', 'experiments/runs/write']) {
      const action = `Microsoft.MachineLearningServices/workspaces/${name}`;
      const access = { action, dataAction: false, scope: '/subscriptions/s/resourcegroups/none' };
      const { remedy } = explain(snapshot, [ada], access).authorities[0] ?? {};
      const advised = remedy?.roles.map((role) => role.roleName) ?? [];
      expect(advised).toContain('AzureML Data Scientist');
      expect(advised.filter((role) => role.startsWith('Lockstep Job'))).toEqual([]);
    }
  });

  test('holds up as an example nobody who is disabled, nor a job', () => {
    const examples = (principals: typeof rows.principals) =>
      (
        explain(
          PolicySnapshot.from({
            ...rows,
            principals,
            roleAssignments: [assignment(60, training, roleIds.storageBlobDataReader, id(60))],
          }),
          [cleo],
          trainingData,
        ).authorities[0]?.remedy?.nearest ?? []
      ).map(({ assignment: { principal } }) => principal.name);
    const dora = person(id(60), 'Dora');
    expect(examples([...rows.principals, dora])).toEqual(['Dora']);
    expect(examples([...rows.principals, { ...dora, enabled: false }])).toEqual([]);
    expect(examples([...rows.principals, { ...dora, kind: 'job' }])).toEqual([]);
  });

  test('tells apart the ways to fall short', () => {
    const shortfalls = (access: Access, world = rows): string[] =>
      (explain(PolicySnapshot.from(world), [ada], access).authorities[0]?.remedy?.nearest ?? []).map(
        (miss) => miss.shortfall.kind,
      );
    const ml = 'Microsoft.MachineLearningServices/workspaces';
    expect(shortfalls({ action: `${ml}/listKeys/action`, dataAction: false, scope: workspace })).toEqual([
      'taken-away',
      'other-principal',
    ]);
    expect(shortfalls({ action: 'X/y/read', dataAction: false, scope: workspace })).toContain(
      'role-lacks-action',
    );
    const principals = rows.principals.map((row) =>
      row.id === visionTeam ? { ...row, enabled: false } : row,
    );
    expect(shortfalls(trainingData, { ...rows, principals })[0]).toBe('disabled-group');
  });

  test('of a deny assignment offers no grant, since none would help', () => {
    const world = { ...rows, denyAssignments: [deny(1, { name: 'Freeze', principals: [visionTeam] })] };
    const [authority] = explain(PolicySnapshot.from(world), [ada], trainingData).authorities;
    expect(authority?.deniedBy).toMatchObject({ name: 'Freeze', through: [{ name: 'Vision team' }] });
    expect(authority?.remedy).toBeNull();
  });

  test('names as grantor nobody who would be refused', () => {
    const world = {
      ...rows,
      principals: rows.principals.map((row) =>
        row.displayName === 'Ben' ? { ...row, enabled: false } : row,
      ),
      roleAssignments: [
        ...rows.roleAssignments,
        assignment(50, group, roleIds.userAccessAdministrator, cleo),
      ],
      denyAssignments: [
        deny(1, {
          principals: [cleo],
          permissions: [
            {
              actions: ['Microsoft.Authorization/*/write'],
              notActions: [],
              dataActions: [],
              notDataActions: [],
            },
          ],
        }),
      ],
    };
    const lines = renderExplanation(explain(PolicySnapshot.from(world), [ada], patientData)).join('\n');
    expect(lines).toContain('Nobody can grant it at present');
  });

  test('shows the first five of a group who may grant it, by name, and counts the rest', () => {
    const names = ['Émile', 'zoe', 'Bo', 'ben', 'Eve', 'Ann', 'Dan', 'Cy'];
    const people = names.map((name, i) => person(id(100 + i), name));
    const world = {
      ...rows,
      principals: [...rows.principals, ...people],
      memberships: [...rows.memberships, ...people.map(({ id }) => ({ group: platformTeam, member: id }))],
    };
    const [authority] = explain(PolicySnapshot.from(world), [ada], patientData).authorities;
    const [team] = authority?.remedy?.grantors ?? [];
    expect(team).toMatchObject({ principal: { name: 'Platform team' }, peopleCount: 9 });
    expect(team?.people.map(({ name }) => name)).toEqual(['Ann', 'ben', 'Ben', 'Bo', 'Cy']);
  });

  test('survives JSON and agrees with decide, whatever the world', () => {
    const result = fc.check(
      fc.property(fc.array(changes, { minLength: 20, maxLength: 50 }), accesses, (history, access) => {
        const world = PolicySnapshot.from(firstWorld);
        for (const [i, change] of history.entries()) world.apply({ sequence: i + 1, previous: i, change });
        const chain = users.slice(0, 3);
        const explained = explain(world, chain, access);
        const verdict = decideForAll(world, chain, access);
        return (
          explained.allowed === verdict.allowed &&
          explained.decidedFor?.id === verdict.decidedFor &&
          explained.authorities.every(
            (one) => (one.remedy !== null) === (one.cause.kind === 'missing-grant'),
          ) &&
          JSON.stringify(JSON.parse(JSON.stringify(explained))) === JSON.stringify(explained) &&
          renderExplanation(explained).length > 3
        );
      }),
      { seed: 7, numRuns: 150 },
    );
    expect(result).toMatchObject({ failed: false });
  });

  describe('of a condition', () => {
    const purpose = '@Request[Microsoft.MachineLearningServices/workspaces/jobs:purpose]';
    const condition = `${purpose} StringEquals 'research'`;
    const read = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
    const ask = (purposeOfJob: string | null): Access => ({
      action: read,
      dataAction: true,
      scope: patients,
      ...(purposeOfJob === null
        ? {}
        : {
            attributes: {
              request: { 'microsoft.machinelearningservices/workspaces/jobs:purpose': purposeOfJob },
            },
          }),
    });
    const world = PolicySnapshot.from({
      ...rows,
      roleAssignments: [
        ...rows.roleAssignments,
        { ...assignment(7, patients, roleIds.storageBlobDataReader, ada), condition },
      ],
    });
    const nearest = (access: Access) => explain(world, [ada], access).authorities[0]?.remedy?.nearest[0];

    test('that is not true names the part that fails and the value that it met', () => {
      expect(decide(world, ada, ask('research')).allowed).toBe(true);
      expect(nearest(ask('marketing'))).toMatchObject({
        assignment: { scope: patients },
        shortfall: {
          kind: 'condition',
          condition,
          failing: {
            text: condition,
            truth: 'false',
            sides: [{ value: 'marketing' }, { value: 'research' }],
          },
        },
      });
      expect(renderExplanation(explain(world, [ada], ask('marketing'))).join('\n')).toContain(
        `its condition is not true here: ${condition} is not true`,
      );
    });

    test('that cannot be told says what is missing', () => {
      expect(nearest(ask(null))).toMatchObject({
        shortfall: { failing: { truth: 'error', sides: [{ value: null }, {}] } },
      });
    });

    test('on a denial that cannot be told denies, and says so', () => {
      const denied = PolicySnapshot.from({
        ...rows,
        denyAssignments: [deny(1, { principals: [ben], condition })],
      });
      expect(decide(denied, ben, ask('marketing')).cause.kind).toBe('missing-grant');
      const [authority] = explain(denied, [ben], ask(null)).authorities;
      expect(authority?.deniedBy).toMatchObject({ condition, untold: { truth: 'error' } });
    });

    test('on the right to grant leaves out who may not grant that role', () => {
      const delegate = (role: string) => ({
        ...assignment(8, patients, roleIds.userAccessAdministrator, cleo),
        condition: `!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'}) OR
          @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${role}}`,
      });
      const grantors = (role: string) =>
        explain(
          PolicySnapshot.from({ ...rows, roleAssignments: [...rows.roleAssignments, delegate(role)] }),
          [ada],
          ask(null),
        ).authorities[0]?.remedy?.grantors.map(({ principal }) => principal.name);
      expect(grantors(roleIds.storageBlobDataReader)).toContain('Cleo');
      expect(grantors(roleIds.owner)).not.toContain('Cleo');
    });
  });

  test('offers what is to be made a role where it is made, and what is there one at the very thing', () => {
    const lab =
      '/subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.machinelearningservices/workspaces/lab';
    const offered = (verb: string, scope: string) =>
      explain(snapshot, [cleo], {
        action: `Microsoft.MachineLearningServices/workspaces/jobs/${verb}`,
        dataAction: false,
        scope,
      }).authorities[0]?.remedy?.request?.path.split('/providers/Microsoft.Authorization')[0];
    expect(offered('write', `${lab}/jobs/job-1`)).toBe(lab);
    expect(offered('write', lab)).toBe(lab);
    expect(offered('delete', `${lab}/jobs/job-1`)).toBe(`${lab}/jobs/job-1`);
  });

  test('offers a request that is one word a value in any shell', () => {
    const scope = "/subscriptions/it's/resourcegroups/$(date)";
    const { remedy } = explain(snapshot, [cleo], { action: 'Contoso.X/y/write', dataAction: false, scope })
      .authorities[0] ?? { remedy: null };
    expect(remedy?.request?.command).toContain(`--scope '/subscriptions/it'\\''s/resourcegroups/$(date)'`);
    expect(remedy?.request?.body.properties).toMatchObject({ principalId: cleo, principalType: 'User' });
  });

  test('reads as sentences', () => {
    expect(renderExplanation(explain(snapshot, [ada, job], patientData))).toMatchInlineSnapshot(`
      [
        "Denied: data action Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        "  at /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans/a.csv",
        "  refused for Ada",
        "  every one of these must be allowed: Ada, train-42",
        "",
        "no   Ada   [default:missing-grant]",
        "     No role assignment gives the data action Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read here.",
        "     Nearest:",
        "       - Storage Blob Data Reader at /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/training, through Vision team: that is another scope",
        "       - AzureML Data Scientist at /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision, through Vision team → Researchers: the role does not contain it",
        "     A grant would suffice at any of:",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans/a.csv",
        "     Roles that contain it, least powerful first: Storage Blob Data Reader, Storage Blob Data Contributor, Storage Blob Data Owner",
        "     Who can grant it: group Platform team (Ben)",
        "     Ready for one of them to run:",
        "       lockstep role assign --role 'Storage Blob Data Reader' --assignee 11111111-0000-4000-8000-000000000001 --scope /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans/a.csv",
        "     If granted: still denied, for job train-42 [default:missing-grant]",
        "",
        "no   job train-42   [default:missing-grant]",
        "     No role assignment gives the data action Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read here.",
        "     Nearest:",
        "       - Storage Blob Data Reader at /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/training: that is another scope",
        "     A grant would suffice at any of:",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans",
        "       - /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans/a.csv",
        "     Roles that contain it, least powerful first: Storage Blob Data Reader, Storage Blob Data Contributor, Storage Blob Data Owner",
        "     Who can grant it: group Platform team (Ben)",
        "     Ready for one of them to run:",
        "       lockstep role assign --role 'Storage Blob Data Reader' --assignee 11111111-0000-4000-8000-000000000004 --scope /subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision/providers/microsoft.storage/storageaccounts/pictures/blobservices/default/containers/patients/blobs/scans/a.csv",
        "     If granted: still denied, for Ada [default:missing-grant]",
        "",
        "Policy as of event 10.",
      ]
    `);
  });
});

describe('scopes at which a grant would suffice', () => {
  test('are whole resources, never the type segments between them', () => {
    expect(resourceScopes(workspace)).toEqual([subscription, group, workspace]);
    expect(resourceScopes('/')).toEqual(['/']);
    expect(resourceScopes('/providers/lockstep.access')).toEqual(['/providers/lockstep.access']);
  });
});
