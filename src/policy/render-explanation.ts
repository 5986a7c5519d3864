import type { FailingPart } from './conditions/trace.ts';
import type { AuthorityExplanation, Explanation, Grantor, NearMiss, Remedy, Who } from './explanation.ts';

/** An explanation as lines of plain text for a terminal; no line depends on colour. */
export function renderExplanation(explanation: Explanation): string[] {
  const { access, allowed, decidedFor, authorities } = explanation;
  const lines = [
    `${allowed ? 'Allowed' : 'Denied'}: ${access.dataAction ? 'data action' : 'action'} ${access.action}`,
    `  at ${access.scope}${access.subtree === true ? ' and all beneath it' : ''}`,
  ];
  if (!allowed && decidedFor) lines.push(`  refused for ${name(decidedFor)}`);
  if (authorities.length > 1) {
    lines.push(
      `  every one of these must be allowed: ${authorities.map((one) => one.principal.name).join(', ')}`,
    );
  }
  for (const authority of authorities) lines.push('', ...authorityLines(authority));
  lines.push('', `Policy as of event ${explanation.snapshotVersion}.`);
  return lines;
}

function authorityLines(authority: AuthorityExplanation): string[] {
  const { principal, allowed, grantedBy, deniedBy, remedy } = authority;
  const lines = [`${allowed ? 'yes' : 'no '}  ${name(principal)}   [${authority.policyId}]`];
  if (grantedBy) {
    lines.push(`     ${grantedBy.roleName} at ${grantedBy.scope}${through(grantedBy.through)}`);
  } else if (deniedBy) {
    lines.push(
      `     the deny assignment '${deniedBy.name}' at ${deniedBy.scope} refuses it${through(deniedBy.through)}`,
      ...(deniedBy.untold
        ? [`     its condition cannot be told, which denies: ${partText(deniedBy.untold)}`]
        : []),
      '     No role assignment outweighs it: it has to be ended, or to exclude this identity.',
    );
  } else if (remedy) {
    lines.push(...remedyLines(remedy));
  } else {
    lines.push(`     ${withoutRemedy(authority)}`);
  }
  return lines;
}

function withoutRemedy({ cause }: AuthorityExplanation): string {
  if (cause.kind === 'unknown-principal') return 'The directory has no such identity; no grant can help it.';
  if (cause.kind === 'disabled-principal') return 'This identity is disabled; enable it, or act as another.';
  return 'Policy could not be evaluated, so the answer is no. The log says why.';
}

function remedyLines(remedy: Remedy): string[] {
  const lines = [`     No role assignment gives the ${remedy.missing.kind} ${remedy.missing.name} here.`];
  if (remedy.nearest.length > 0) lines.push('     Nearest:');
  for (const miss of remedy.nearest) lines.push(`       - ${missText(miss)}`);
  lines.push('     A grant would suffice at any of:');
  for (const scope of remedy.scopes) lines.push(`       - ${scope}`);
  lines.push(
    remedy.roles.length > 0
      ? `     Roles that contain it, least powerful first: ${remedy.roles.map((role) => role.roleName).join(', ')}`
      : '     No role contains it; a custom role would have to be defined.',
  );
  lines.push(
    remedy.grantors.length > 0
      ? `     Who can grant it: ${remedy.grantors.map(grantorText).join('; ')}${more(remedy.moreGrantors)}`
      : '     Nobody can grant it at present: no one holds Microsoft.Authorization/roleAssignments/write there.',
  );
  if (remedy.request) lines.push('     Ready for one of them to run:', `       ${remedy.request.command}`);
  const { stillDenied } = remedy.ifGranted;
  lines.push(
    stillDenied.length === 0
      ? '     If granted: allowed.'
      : `     If granted: still denied, for ${stillDenied.map((other) => `${name(other.principal)} [${other.policyId}]`).join(', ')}`,
  );
  return lines;
}

function missText({ assignment, shortfall }: NearMiss): string {
  const what = `${assignment.roleName} at ${assignment.scope}`;
  switch (shortfall.kind) {
    case 'condition':
      return `${what}${through(assignment.through)}: its condition is not true here: ${
        shortfall.failing ? partText(shortfall.failing) : `it cannot be understood: ${shortfall.condition}`
      }`;
    case 'taken-away':
      return `${what}${through(assignment.through)}: its notActions '${shortfall.pattern}' takes this away`;
    case 'disabled-group':
      return `${what}${through(assignment.through)}: the group ${shortfall.group.name} is disabled`;
    case 'other-scope':
      return `${what}${through(assignment.through)}: that is another scope`;
    case 'role-lacks-action':
      return `${what}${through(assignment.through)}: the role does not contain it`;
    case 'other-principal':
      return `${what}: it is held by ${name(assignment.principal)}, to whom this identity does not belong`;
  }
}

/** A part of a condition with the values that it met. */
function partText({ text, truth, sides }: FailingPart): string {
  const found = sides
    .filter((side) => side.text.startsWith('@'))
    .map((side) => `${side.text} is ${side.value === null ? 'missing' : JSON.stringify(side.value)}`);
  const outcome = truth === 'error' ? ' cannot be told' : ' is not true';
  return `${text}${outcome}${found.length > 0 ? ` (${found.join(', ')})` : ''}`;
}

function grantorText({ principal, people, peopleCount }: Grantor): string {
  if (principal.kind !== 'group') return name(principal);
  const named = people.map((person) => person.name).join(', ');
  return `${name(principal)} (${named}${more(peopleCount - people.length)})`;
}

function through(groups: readonly Who[]): string {
  return groups.length === 0 ? '' : `, through ${groups.map((group) => group.name).join(' → ')}`;
}

function more(count: number): string {
  return count > 0 ? `, and ${count} more` : '';
}

function name(who: Who): string {
  return who.kind === 'user' ? who.name : `${who.kind} ${who.name}`;
}
