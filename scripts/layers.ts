// Holds the line of docs/architecture.md: imports point down the list of rooms only.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, dirname } from 'node:path';

const levels: readonly (readonly string[])[] = [
  ['lib'],
  ['config'],
  ['store'],
  ['identity', 'policy', 'ledger'],
  ['gateway', 'workspace', 'reports'],
  ['api'],
  ['composition'],
  ['main', 'init'],
  ['cli'],
];
/** Rooms of one level that may not import one another. */
const strangers = new Set(['identity', 'policy', 'ledger', 'gateway', 'workspace', 'reports']);
/** Names that say nothing. */
const emptyNames = /(manager|service|helper|util|common|processor|base|impl|handler)s?\.ts$/;

/** The verifier is a package of its own: these import one another and Node, nothing else. */
const standsAlone = /^ledger\/(?:verify\/|tlog\/|sources\/|note\.ts$)/;

export function layerProblems(root: string): string[] {
  const src = join(root, 'src');
  const problems: string[] = [];
  for (const file of typescriptFiles(src)) {
    const from = roomOf(relative(src, file));
    const shown = relative(root, file);
    if (from === null) problems.push(`${shown}: is in no room`);
    if (emptyNames.test(file)) problems.push(`${shown}: its name says nothing`);
    if (from === null || file.endsWith('.test.ts') || file.includes('/testing/')) continue;
    if (standsAlone.test(relative(src, file)) && /from '(?!\.|node:)/.test(readFileSync(file, 'utf8'))) {
      problems.push(`${shown}: the verifier stands alone, and may not import a package`);
    }
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
      /(?:from|import\()\s*'(\.[^']+)'/g,
    )) {
      const target = relative(src, resolve(dirname(file), specifier));
      if (standsAlone.test(relative(src, file)) && !standsAlone.test(target)) {
        problems.push(`${shown}: the verifier stands alone, and may not import ${specifier}`);
      }
      const to = roomOf(target);
      if (to === null) problems.push(`${shown}: imports ${specifier}, which is in no room`);
      else if (levelOf(to) > levelOf(from)) problems.push(`${shown}: ${from} may not import ${to}`);
      else if (to !== from && levelOf(to) === levelOf(from) && strangers.has(from)) {
        problems.push(`${shown}: ${from} may not import its neighbour ${to}`);
      }
    }
  }
  return problems;
}

function roomOf(path: string): string | null {
  const first = path.split('/')[0]?.replace(/\.ts$/, '') ?? '';
  return levels.some((level) => level.includes(first)) ? first : null;
}

function levelOf(room: string): number {
  return levels.findIndex((level) => level.includes(room));
}

function typescriptFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}
