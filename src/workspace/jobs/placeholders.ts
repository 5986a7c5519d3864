import { failure } from '../../lib/errors.ts';

const placeholder = /\$\{\{\s*([^{}]*?)\s*\}\}/g;
const known = /^(inputs|outputs)\.([A-Za-z_][A-Za-z0-9_]{0,100})$/;

export interface BoundCommand {
  /** Shell text in which each placeholder is an expansion of a variable. */
  readonly command: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** The variables in which Azure ML, too, tells a job its inputs and outputs. */
export function bindingName(kind: 'inputs' | 'outputs', name: string): string {
  return `AZURE_ML_${kind === 'inputs' ? 'INPUT' : 'OUTPUT'}_${name}`;
}

/**
 * Throws `invalid_request` for a command with a placeholder that names nothing declared, or of a kind that is not
 * supported here.
 */
export function checkPlaceholders(
  command: string,
  declared: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
): void {
  if (command.includes('$[[')) throw invalid('Optional inputs ($[[…]]) are not supported here.');
  for (const [whole, inner = ''] of command.matchAll(placeholder)) {
    const [, kind, name] = known.exec(inner) ?? [];
    if ((kind !== 'inputs' && kind !== 'outputs') || name === undefined) {
      throw invalid(`The placeholder ${whole} is not known. Write \${{inputs.name}} or \${{outputs.name}}.`);
    }
    if (!declared[kind].includes(name)) {
      const names = declared[kind];
      const list = names.length === 0 ? `there are no ${kind}` : `its ${kind} are ${names.join(', ')}`;
      throw invalid(`The placeholder ${whole} names nothing that the job declares: ${list}.`);
    }
  }
  if (command.replaceAll(placeholder, '').includes('${{')) {
    throw invalid('The command has a placeholder that is not closed.');
  }
}

/**
 * Binds inputs and outputs to variables and the placeholders to expansions of them. A value is never part of the shell
 * text, so whatever it holds, a shell does not run it; quotes are set so that it also stays one word where the
 * placeholder stands bare, in double quotes or in single quotes.
 */
export function bindCommand(
  command: string,
  values: {
    readonly inputs: Readonly<Record<string, string>>;
    readonly outputs: Readonly<Record<string, string>>;
  },
): BoundCommand {
  const variables: Record<string, string> = {};
  for (const kind of ['inputs', 'outputs'] as const) {
    for (const [name, value] of Object.entries(values[kind])) variables[bindingName(kind, name)] = value;
  }
  let bound = '';
  let at = 0;
  let quoting: Quoting = 'none';
  for (const match of command.matchAll(placeholder)) {
    const before = command.slice(at, match.index);
    quoting = quotingAfter(before, quoting);
    const [, kind = '', name = ''] = known.exec(match[1] ?? '') ?? [];
    const expansion = `\${${bindingName(kind === 'inputs' ? 'inputs' : 'outputs', name)}}`;
    bound += before + quoted(expansion, quoting);
    at = match.index + match[0].length;
  }
  return { command: bound + command.slice(at), variables };
}

type Quoting = 'none' | 'single' | 'double';

function quoted(expansion: string, quoting: Quoting): string {
  switch (quoting) {
    case 'none':
      return `"${expansion}"`;
    case 'double':
      return expansion;
    case 'single':
      return `'"${expansion}"'`;
  }
}

/** POSIX shell quoting (XCU 2.2), as far as it says whether the next character is quoted. */
function quotingAfter(text: string, from: Quoting): Quoting {
  let quoting = from;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoting === 'single') {
      if (char === "'") quoting = 'none';
    } else if (char === '\\') {
      i++;
    } else if (char === '"') {
      quoting = quoting === 'double' ? 'none' : 'double';
    } else if (char === "'" && quoting === 'none') {
      quoting = 'single';
    }
  }
  return quoting;
}

function invalid(message: string) {
  return failure('invalid_request', message, { azureCode: 'ValidationError', target: 'properties.command' });
}
