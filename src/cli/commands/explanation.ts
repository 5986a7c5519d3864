import { z } from 'zod';
import type { Invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';
import { shortScope } from '../scopes.ts';
import type { Discovery } from '../connection/discovery.ts';

const who = z.object({ id: z.string(), kind: z.string(), name: z.string() });
const party = z.object({ id: z.string(), kind: z.string(), displayName: z.string() });
const assignment = z.object({
  id: z.string(),
  roleName: z.string(),
  scope: z.string(),
  principal: who,
  through: z.array(who),
});

const part = z.object({
  text: z.string(),
  truth: z.string(),
  sides: z.array(z.object({ text: z.string(), value: z.unknown() })),
});

const shortfall = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('condition'), condition: z.string(), failing: part.nullable() }),
  z.object({ kind: z.literal('taken-away'), pattern: z.string() }),
  z.object({ kind: z.literal('disabled-group'), group: who }),
  z.object({ kind: z.literal('other-scope') }),
  z.object({ kind: z.literal('role-lacks-action') }),
  z.object({ kind: z.literal('other-principal') }),
]);

const remedy = z.object({
  missing: z.object({ kind: z.string(), name: z.string() }),
  nearest: z.array(z.object({ assignment, shortfall })),
  scopes: z.array(z.string()),
  roles: z.array(z.object({ id: z.string(), roleName: z.string() })),
  grantors: z.array(z.object({ principal: who, people: z.array(who), peopleCount: z.number() })),
  moreGrantors: z.number(),
  request: z.object({ command: z.string() }).nullish(),
  ifGranted: z.object({
    allowed: z.boolean(),
    stillDenied: z.array(z.object({ principal: who, policyId: z.string() })),
  }),
});

const authority = z.object({
  principal: who,
  allowed: z.boolean(),
  policyId: z.string(),
  grantedBy: assignment.nullable(),
  deniedBy: z
    .object({
      name: z.string(),
      description: z.string(),
      scope: z.string(),
      through: z.array(who),
      untold: part.nullish(),
    })
    .nullable(),
  remedy: remedy.nullable(),
});

/** A decision and what stands behind it, as the admin API tells it. */
export const explainedSchema = z.object({
  decision: z.looseObject({
    id: z.string().nullable(),
    time: z.string().nullable(),
    operation: z.string().nullable(),
    chain: z.array(z.object({ kind: z.string(), id: z.string(), name: z.string() })),
    allowed: z.boolean(),
    reason: z.string(),
    policyId: z.string(),
    decidedFor: party.nullable(),
    action: z.string(),
    dataAction: z.boolean(),
    scope: z.string(),
    snapshotVersion: z.number(),
  }),
  /** The same question put to the policy of now; null where policy was not asked. */
  explanation: z
    .looseObject({ allowed: z.boolean(), snapshotVersion: z.number(), authorities: z.array(authority) })
    .nullable(),
  /** Those of whom lack something that the caller could give them. */
  grantable: z.array(z.string()).default([]),
  /** Whether the caller lacks it and can ask for it. */
  askable: z.boolean().default(false),
  /** What was asked for, of a request that nothing describes. */
  undescribed: z
    .object({ method: z.string(), path: z.string().nullable(), surface: z.string(), advice: z.string() })
    .nullish(),
  /** Whether anything asks for such an action. */
  known: z.boolean().default(true),
  warnings: z.array(z.string()),
});

export type Explained = z.infer<typeof explainedSchema>;
type Authority = z.infer<typeof authority>;
type Assignment = z.infer<typeof assignment>;
type Remedy = z.infer<typeof remedy>;

/** A decision for a person: the answer, the one policy, and the way on. */
export function shownExplanation(call: Invocation, explained: Explained, places: Discovery): string {
  const short = (scope: string) => shortScope(scope, places);
  const { decision, explanation, grantable, askable, undescribed, known, warnings } = explained;
  const { style } = call;
  const verdict = decision.allowed ? style.good('allowed') : style.bad('denied');
  const was = facts(
    [
      ['decision', decision.id],
      ['when', decision.time === null ? null : moment(decision.time)],
      ['who', decision.chain.map((link) => link.name).join(' → ') || null],
      [
        'request',
        undescribed ? `${undescribed.method} ${undescribed.path ?? '(its path has been erased)'}` : null,
      ],
      ['surface', undescribed?.surface ?? null],
      [decision.dataAction ? 'data action' : 'action', decision.action],
      ['scope', decision.scope],
      ['policy', decision.policyId],
      ['decided for', decision.decidedFor?.displayName ?? null],
    ],
    style,
  );
  const noticed = warnings.map((warning) => style.notice(warning));
  // What stands below is about nothing.
  const parts = [...(known ? [] : noticed), `${verdict}\n${was}`];
  if (undescribed) parts.push(undescribed.advice);
  else if (explanation === null) parts.push(ruleSentence(decision.reason, decision.policyId));
  else {
    const changed = decision.id !== null && explanation.allowed !== decision.allowed;
    if (changed) {
      parts.push(
        style.notice(
          `Policy has changed since: now it would be ${explanation.allowed ? 'allowed' : 'denied'}.`,
        ),
      );
    }
    parts.push(explanation.authorities.map((one) => authorityLine(call, one, short)).join('\n'));
    parts.push(...liftings(explanation.authorities, short));
    for (const lacking of known ? sameRemedy(explanation.authorities) : []) {
      parts.push(...remedyParts(call, lacking, short), ...grantCommands(call, lacking, { grantable, short }));
    }
    if (askable && decision.id !== null && grantable.length === 0) {
      parts.push(`Ask for it: lockstep requests ask ${decision.id} --reason '…'`);
    }
  }
  if (known) parts.push(...noticed);
  return parts.join('\n\n');
}

function ruleSentence(reason: string, policyId: string): string {
  if (reason === 'public') return `Open to anyone by the rule ${policyId}.`;
  if (reason === 'authenticated')
    return `Open to whoever is signed in, on what is their own, by the rule ${policyId}.`;
  return `Refused before policy was asked: ${reason}.`;
}

type Short = (scope: string) => string;

/** For each denial in the way, how it is lifted and by whom. */
function liftings(authorities: readonly Authority[], short: Short): string[] {
  const lines = authorities.flatMap(({ deniedBy, policyId }) => {
    const id = /^denyAssignment:(.+)$/.exec(policyId)?.[1];
    if (deniedBy === null || id === undefined) return [];
    const where = short(deniedBy.scope);
    return [
      `Whoever holds Microsoft.Authorization/denyAssignments/delete at ${where} can lift it:\n` +
        `lockstep deny delete ${id} --scope ${where}`,
    ];
  });
  return [...new Set(lines)];
}

function authorityLine({ style }: Invocation, one: Authority, short: Short): string {
  const mark = one.allowed ? style.good('yes') : style.bad('no ');
  return `${mark}  ${one.principal.name}: ${why(one, short)}`;
}

function why(one: Authority, short: Short): string {
  if (one.grantedBy !== null) return `${heldAs(one.grantedBy, short)} allows it.`;
  if (one.deniedBy !== null) {
    const { name, scope, description, untold, through } = one.deniedBy;
    const unsure = untold ? ` Its condition cannot be told, which denies: ${partText(untold)}.` : '';
    const named = through.length === 0 ? '' : `, through ${pathOf(through)},`;
    return `the deny assignment “${name}” at ${short(scope)}${named} forbids it, whatever roles say.${description === '' ? '' : ` ${description}`}${unsure}`;
  }
  if (one.remedy !== null)
    return `no role assignment grants the ${one.remedy.missing.kind} ${one.remedy.missing.name}.`;
  return one.policyId;
}

function heldAs({ roleName, scope, through }: Assignment, short: Short): string {
  return `${roleName} at ${short(scope)}${through.length === 0 ? '' : `, held through ${pathOf(through)},`}`;
}

/** From the group of which somebody is a member to the one that an assignment names. */
function pathOf(groups: readonly z.infer<typeof who>[]): string {
  return groups.map(({ name }) => name).join(' → ');
}

/** Authorities that lack the same, and could be given it in the same way by the same people. */
interface Lacking {
  readonly authorities: readonly Authority[];
  readonly remedy: Remedy;
}

function sameRemedy(authorities: readonly Authority[]): readonly Lacking[] {
  const groups = new Map<string, { authorities: Authority[]; remedy: Remedy }>();
  for (const one of authorities) {
    if (one.remedy === null) continue;
    const { missing, scopes, roles, grantors } = one.remedy;
    const key = JSON.stringify([missing, scopes, roles, grantors]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { authorities: [one], remedy: one.remedy });
    else group.authorities.push(one);
  }
  return [...groups.values()];
}

function remedyParts(call: Invocation, { authorities, remedy }: Lacking, short: Short): string[] {
  const { style } = call;
  const out: string[] = [];
  const near = [
    ...new Set(
      authorities.flatMap((one) =>
        (one.remedy?.nearest ?? []).map(
          ({ assignment: held, shortfall: fall }) => `  ${nearLine(held, fall, short)}`,
        ),
      ),
    ),
  ];
  if (near.length > 0) out.push(['What came nearest:', ...near].join('\n'));
  const roles = remedy.roles.map((role) => role.roleName);
  const shown = roles.slice(0, 4).join(', ') + (roles.length > 4 ? `, and ${roles.length - 4} more` : '');
  const grants = facts(
    [
      ['  role', roles.length === 0 ? 'none there is contains it; define one' : shown],
      ['  at', remedy.scopes.map(short).join('\n')],
    ],
    style,
  );
  const names = authorities.map((one) => one.principal.name);
  out.push(
    `What would allow it, for ${names.length === 1 ? names[0] : `each of ${names.join(', ')}`}:\n${grants}`,
  );
  const others = remedy.ifGranted.stillDenied
    .map((one) => one.principal.name)
    .filter((name) => !names.includes(name));
  if (others.length > 0) {
    out.push(style.notice(`That alone would not do: ${others.join(', ')} would still lack it.`));
  }
  if (remedy.grantors.length === 0) out.push('Nobody can grant it at present.');
  else {
    const grantors = table(
      remedy.grantors,
      [
        { title: 'WHO CAN GRANT IT', value: (row) => row.principal.name },
        { title: 'KIND', value: (row) => row.principal.kind },
        { title: 'PEOPLE', value: (row) => peopleOf(row) },
      ],
      style,
      call.width,
    );
    out.push(remedy.moreGrantors > 0 ? `${grantors}\nand ${remedy.moreGrantors} more` : grantors);
  }
  return out;
}

/** What gives the role: to run, for whoever may; for everybody else what to have run by who may. */
function grantCommands(
  { style }: Invocation,
  { authorities }: Lacking,
  { grantable, short }: { readonly grantable: readonly string[]; readonly short: Short },
): string[] {
  const commands = authorities.flatMap((one) => one.remedy?.request?.command ?? []).map(shortened(short));
  if (commands.length === 0) return [];
  const conditional = authorities.some(({ remedy }) =>
    remedy?.nearest.some(({ shortfall: fall }) => fall.kind === 'condition'),
  );
  const notice = conditional
    ? [style.notice('A condition stands in the way: meet it, or give the role without any:')]
    : [];
  const mayRun = authorities.every(({ principal }) => grantable.includes(principal.id));
  return [...notice, [...(mayRun ? [] : ['An administrator would run:']), ...commands].join('\n')];
}

/** A command of the server's with its scope as people write it, where that needs no quotes. */
function shortened(short: Short): (command: string) => string {
  return (command) =>
    command.replace(/ --scope (\/\S+)$/, (whole, scope: string) => {
      const name = short(scope);
      return /^[\w./:%-]+$/.test(name) ? ` --scope ${name}` : whole;
    });
}

function nearLine(near: Assignment, fall: z.infer<typeof shortfall>, short: Short): string {
  const held = `${near.roleName} at ${short(near.scope)}`;
  switch (fall.kind) {
    case 'condition':
      return `${held}: its condition is not true here: ${fall.failing ? partText(fall.failing) : `it cannot be understood (${fall.condition})`}.`;
    case 'taken-away':
      return `${held}: its notActions take it away again (${fall.pattern}).`;
    case 'disabled-group':
      return `${held}: held through ${fall.group.name}, which is disabled.`;
    case 'other-scope':
      return `${held}: it does not cover this scope.`;
    case 'role-lacks-action':
      return `${held}: it covers this scope, but its role lacks the action.`;
    case 'other-principal':
      return `${held}: it names ${near.principal.name}.`;
  }
}

/** A part of a condition with the values that it met. */
function partText({ text, truth, sides }: z.infer<typeof part>): string {
  const met = sides
    .filter((side) => side.text.startsWith('@'))
    .map((side) => `${side.text} is ${side.value === null ? 'missing' : JSON.stringify(side.value)}`);
  return `${text} ${truth === 'error' ? 'cannot be told' : 'is false'}${met.length === 0 ? '' : ` (${met.join(', ')})`}`;
}

function peopleOf({ people, peopleCount }: Remedy['grantors'][number]): string | null {
  if (people.length === 0) return null;
  const more = peopleCount - people.length;
  return people.map((one) => one.name).join(', ') + (more > 0 ? `, and ${more} more` : '');
}
