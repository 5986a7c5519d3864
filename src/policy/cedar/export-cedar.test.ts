import { checkParsePolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, test } from 'vitest';
import type { AttributeValue, DenyAssignment } from '../../store/changes.ts';
import { everyone, type PolicyRows } from '../snapshot.ts';
import { CedarOracle } from '../testing/cedar-oracle.ts';
import {
  ada,
  assignment,
  ben,
  cleo,
  deny,
  platformTeam,
  researchers,
  rows,
  subscription,
  visionTeam,
  workspace,
} from '../testing/people.ts';
import type { Access } from '../types.ts';
import { cedarText, exportCedar } from './export-cedar.ts';

const submits = {
  action: 'Microsoft.MachineLearningServices/workspaces/jobs/write',
  dataAction: false,
  scope: `${workspace}/jobs/j`,
};
const grantToResearchers = 'roleAssignment:aaaaaaaa-0000-4000-8000-000000000001';

function denied(given: Partial<DenyAssignment>): PolicyRows {
  return { ...rows, denyAssignments: [deny(1, given)] };
}

/** What Cedar says of the data scientists' grant to Ada under a condition. */
function under(
  condition: string,
  access: Partial<Access> = {},
  securityAttributes?: Record<string, AttributeValue>,
) {
  const changed: PolicyRows = {
    ...rows,
    principals: rows.principals.map((row) =>
      row.id === ada && securityAttributes ? { ...row, securityAttributes } : row,
    ),
    roleAssignments: rows.roleAssignments.map((row) => ({ ...row, condition })),
    tags: [{ scope: workspace, tags: { Project: 'vision' } }],
  };
  const asked = { ...submits, ...access };
  const cedar = new CedarOracle(changed, [asked]);
  expect(cedar.problems()).toEqual([]);
  expect(cedar.exported.notes).toEqual([]);
  return cedar.decide(ada, asked).allowed;
}

describe('a grant', () => {
  test('is one policy under the id that decisions name', () => {
    const { policies } = exportCedar(rows);
    expect(policies.find(({ id }) => id === grantToResearchers)?.text).toMatchInlineSnapshot(`
      "@id("roleAssignment:aaaaaaaa-0000-4000-8000-000000000001")
      @role("AzureML Data Scientist")
      permit (
        principal in Lockstep::Group::"11111111-0000-4000-8000-000000000011",
        action in [Lockstep::Action::"role:f6c7c914-8db3-469d-8ca1-694a8f32e121#0"],
        resource in Lockstep::Scope::"/subscriptions/00000000-0000-4000-8000-00000000aaaa/resourcegroups/vision"
      );"
    `);
    expect(new CedarOracle(rows, [submits]).decide(ada, submits)).toEqual({
      allowed: true,
      policyIds: [grantToResearchers],
    });
  });

  test('of a role that is not there, or that holds nothing known, is noted and gives nothing', () => {
    const empty = { ...rows.roleDefinitions[0]!, id: 'empty', permissions: [] };
    const { notes, policies } = exportCedar({
      ...rows,
      roleDefinitions: [empty],
      roleAssignments: [assignment(1, '/', 'gone', ada), assignment(2, '/', 'empty', ada)],
    });
    expect(policies.map(({ id }) => id)).toEqual(['default:unknown-principal', 'default:disabled-principal']);
    expect(notes.map(({ kind, policyId, why }) => `${kind} ${policyId.slice(-1)} ${why}`)).toEqual([
      'without-effect 1 there is no role gone',
      'without-effect 2 it holds no operation that is known',
    ]);
  });
});

describe('identities', () => {
  test('whoever is unknown or disabled is forbidden everything, by name', () => {
    const principals = rows.principals.map((row) => ({ ...row, enabled: row.id !== ada }));
    const cedar = new CedarOracle({ ...rows, principals }, [submits]);
    expect(cedar.decide(ada, submits).policyIds).toEqual(['default:disabled-principal']);
    expect(cedar.decide('nobody' as never, submits).policyIds).toEqual(['default:unknown-principal']);
  });

  test('a group in itself, by way of another, is no obstacle', () => {
    const memberships = [...rows.memberships, { group: visionTeam, member: researchers }];
    const cedar = new CedarOracle({ ...rows, memberships }, [submits]);
    expect(cedar.decide(ada, submits).allowed).toBe(true);
  });

  test('a disabled group grants nothing, excludes nobody, and passes denials on', () => {
    const disabled = rows.principals.map((row) => ({ ...row, enabled: row.id !== visionTeam }));
    const grant = { ...rows, principals: disabled };
    expect(new CedarOracle(grant, [submits]).decide(ada, submits)).toEqual({ allowed: false, policyIds: [] });
    const denial = {
      ...denied({ principals: [researchers], excludePrincipals: [visionTeam] }),
      principals: disabled,
    };
    const named = 'denyAssignment:dddddddd-0000-4000-8000-000000000001';
    expect(new CedarOracle(denial, [submits]).decide(ada, submits).policyIds).toEqual([named]);
  });
});

describe('a denial', () => {
  test('of everyone spares whom it excludes', () => {
    const cedar = new CedarOracle(
      denied({ principals: [everyone as never], excludePrincipals: [platformTeam], scope: subscription }),
      [submits],
    );
    expect([ada, ben, cleo].map((id) => cedar.decide(id, submits).allowed)).toEqual([false, true, false]);
  });

  test('may hold at its own scope only', () => {
    const at = { ...submits, scope: workspace };
    const cedar = new CedarOracle(denied({ scope: workspace, doNotApplyToChildScopes: true }), [submits, at]);
    expect([at, submits].map((access) => cedar.decide(ada, access).allowed)).toEqual([false, true]);
  });

  test('whose condition cannot be said in Cedar holds whatever it says, and this is noted', () => {
    const { notes, policies } = exportCedar(denied({ condition: "@Request[n] StringLike 'a?'" }));
    expect(notes).toEqual([
      {
        kind: 'not-expressible',
        policyId: 'denyAssignment:dddddddd-0000-4000-8000-000000000001',
        part: "@Request[n] StringLike 'a?'",
        why: 'Cedar’s patterns have no ? for one character',
      },
    ]);
    expect(policies.at(-1)?.text).not.toContain('context');
  });
});

describe('scopes', () => {
  test('hang where they were placed', () => {
    const top = '/providers/microsoft.management/managementgroups/top';
    const placed = {
      ...rows,
      placements: [
        { scope: top, parent: null, displayName: '' },
        { scope: subscription, parent: top, displayName: '' },
      ],
      roleAssignments: [{ ...rows.roleAssignments[0]!, scope: top }],
    };
    expect(new CedarOracle(placed, [submits]).decide(ada, submits).allowed).toBe(true);
    const moved = { ...placed, placements: placed.placements.slice(0, 1) };
    expect(new CedarOracle(moved, [submits]).decide(ada, submits).allowed).toBe(false);
  });
});

describe('conditions', () => {
  const request = (value: AttributeValue): Partial<Access> => ({ attributes: { request: { 'n:a': value } } });
  test.each<[string, AttributeValue, boolean]>([
    ["@Request[n:a] StringEquals 'x'", 'x', true],
    ["@Request[n:a] StringEquals 'x'", 'X', false],
    ["@Request[n:a] StringEqualsIgnoreCase 'x'", 'X', true],
    ["@Request[n:a] StringEquals 'x'", ['x'], false],
    ["@Request[n:a] StringNotEquals 'x'", ['y'], false],
    ["@Request[n:a] StringNotEquals 'x'", 'y', true],
    ["@Request[n:a] StringStartsWith 'a*\"\\\\'", 'a*"\\\\b', true],
    ["@Request[n:a] StringStartsWith 'a*'", 'ab', false],
    ["@Request[n:a] StringLike 'a\\**'", 'a*b', true],
    ["@Request[n:a] StringLike 'a\\**'", 'ab', false],
    ["@Request[n:a] StringNotLike '*\u{1f600}*'", 'x\u{1f600}y', false],
    ['@Request[n:a] NumericLessThanEquals 8', '8', true],
    ['@Request[n:a] NumericGreaterThan -2', -3, false],
    ['@Request[n:a] BoolNotEquals true', false, true],
    ["@Request[n:a] DateTimeLessThan '2026-01-01T00:00:00.0000002Z'", '2026-01-01T00:00:00.0000001Z', true],
    ["@Request[n:a] DateTimeLessThan '2026-01-01T00:00:00.0000002Z'", '2026-01-01T00:00:00.0000002Z', false],
    ["@Request[n:a] DateTimeGreaterThanEquals '1969-01-01T00:00:00Z'", '1969-12-31T23:59:59.5Z', true],
    [
      '@Request[n:a] GuidEquals 8E3AF657-a8ff-443c-a75c-2fe8c4bcb635',
      '8e3af657-A8FF-443c-a75c-2fe8c4bcb635',
      true,
    ],
    ["@Request[n:a] ForAllOfAnyValues:StringEquals {'x', 'y'}", ['x'], true],
    ["@Request[n:a] ForAllOfAnyValues:StringEquals {'x', 'y'}", ['x', 'z'], false],
    ["@Request[n:a] ForAnyOfAllValues:StringNotEquals {'x', 'y'}", ['x', 'z'], true],
    ["@Request[n:a] ForAllOfAllValues:StringEquals {'x', 'x'}", ['x'], true],
    ["{'x'} ForAnyOfAllValues:StringEquals @Request[n:a]", ['x', 'y'], false],
    ['{1, 2} ForAnyOfAllValues:NumericLessThan {2, 3} AND Exists @Request[n:a]', 'x', true],
    [
      "ActionMatches{'*/jobs/write'} AND NOT SubOperationMatches{'Blob.List'} AND Exists @Request[n:a]",
      'x',
      true,
    ],
    ['Exists @Request[n:a]', [], false],
    ["NOT Exists @Request[n:b] OR @Request[n:b] StringEquals 'x'", 'x', true],
    ["@Request[n:b] StringNotEquals 'x'", 'x', false],
    ["NOT (@Request[n:b] StringEquals 'x')", 'x', false],
  ])('%s for %j is %s', (condition, value, allowed) => {
    expect(under(condition, request(value))).toBe(allowed);
  });

  test('ask for tags and security attributes', () => {
    const tag = "@Resource[tags:project] StringEquals 'vision'";
    expect(under(tag)).toBe(true);
    expect(under(tag, { attributes: { resource: { 'tags:project': 'other' } } })).toBe(false);
    expect(under("@Resource[tags:project<$key_case_sensitive$>] StringEquals 'vision'")).toBe(false);
    const own =
      '@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Eng_project] StringEquals @Resource[tags:Project]';
    expect(under(own, {}, { Eng_Project: 'vision' })).toBe(true);
    expect(under(own)).toBe(false);
  });

  test.each([
    ['StringLike @Request[n:b]', 'patterns are written'],
    ["ForAnyOfAnyValues:StringLike {'a*'}", 'goes through no set'],
    ['ForAllOfAllValues:StringEquals @Request[n:b]', 'one member only'],
    ["StringEquals '\ud800'", 'half a surrogate pair'],
  ])('@Request[n:a] %s is noted, and the grant left out', (comparison, why) => {
    const condition = `Exists @Request[n:a] AND @Request[n:a] ${comparison}`;
    const { policies, notes } = exportCedar({
      ...rows,
      roleAssignments: [{ ...rows.roleAssignments[0]!, condition }],
    });
    expect(policies).toHaveLength(2);
    expect(notes).toMatchObject([{ kind: 'not-expressible', policyId: grantToResearchers }]);
    expect(notes[0]?.why).toContain(why);
  });
});

describe('as one text', () => {
  const hostile = 'x");\npermit (principal, action, resource);\n//\u2028\u0085';
  test('nothing that a person wrote becomes a policy', () => {
    const exported = exportCedar({
      ...rows,
      roleDefinitions: rows.roleDefinitions.map((role) => ({ ...role, roleName: hostile })),
      roleAssignments: [
        ...rows.roleAssignments,
        { ...assignment(9, `/x");permit(principal,action,resource)`, rows.roleDefinitions[0]!.id, ada) },
        {
          ...assignment(8, '/', rows.roleDefinitions[0]!.id, ada),
          condition: `@Request[${hostile}] StringLike '?${hostile}'`,
        },
      ],
      denyAssignments: [
        deny(1, { name: hostile, condition: `@Request[${hostile}] StringEquals '${hostile}'` }),
      ],
    });
    const text = cedarText(exported);
    expect(checkParsePolicySet({ staticPolicies: text })).toEqual({ type: 'success' });
    expect(text.match(/^(?:permit|forbid) \(/gm)).toHaveLength(exported.policies.length);
    expect(text.match(/^\/\/ not-expressible/gm)).toHaveLength(1);
  });
});
