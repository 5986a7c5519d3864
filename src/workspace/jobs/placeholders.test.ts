import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindCommand, checkPlaceholders } from './placeholders.ts';

/** Runs a bound command in a real shell, in an empty directory that must stay empty. */
function run(command: string, inputs: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-shell-'));
  try {
    const bound = bindCommand(command, { inputs, outputs: {} });
    const out = execFileSync('/bin/sh', ['-c', bound.command], {
      cwd: directory,
      env: { PATH: '/usr/bin:/bin', ...bound.variables },
      encoding: 'utf8',
    });
    expect(readdirSync(directory)).toEqual([]);
    return out;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const hostile = [
  '$(touch pwned)',
  '`touch pwned`',
  '"; touch pwned; "',
  "'; touch pwned; '",
  '; touch pwned',
  '&& touch pwned',
  '\ntouch pwned\n',
  '${IFS}touch${IFS}pwned',
  '* ? [a-z] ~',
  '\\',
  '-n',
  'two  words',
];

describe('a placeholder', () => {
  it.each(hostile)('passes %j as one argument and runs nothing of it', (value) => {
    const places = [
      ['bare', 'printf %s ${{inputs.x}}'],
      ['in double quotes', 'printf %s "${{inputs.x}}"'],
      ['in single quotes', "printf %s '${{inputs.x}}'"],
    ] as const;
    for (const [place, command] of places)
      expect([place, run(command, { x: value })]).toEqual([place, value]);
    expect(run('printf %s --a=${{inputs.x}}', { x: value })).toBe(`--a=${value}`);
    expect(run('printf %s "a \\" ${{inputs.x}} b"', { x: value })).toBe(`a " ${value} b`);
    expect(run("printf '%s|' 'it'\\''s' ${{ inputs.x }} end", { x: value })).toBe(`it's|${value}|end|`);
  });

  it('never runs a value, wherever in a command it stands', () => {
    const piece = constantFrom(
      '"',
      "'",
      '\\',
      ' ',
      'echo ',
      '$',
      '#',
      '\n',
      'a',
      '${{inputs.x}}',
      '$(',
      ')',
      '`',
    );
    assert(
      property(array(piece, { maxLength: 12 }), (pieces) => {
        const bound = bindCommand(pieces.join(''), { inputs: { x: 'VALUE' }, outputs: {} });
        expect(bound.command).not.toContain('VALUE');
      }),
    );
  });

  it('must name what the job declares', () => {
    const declared = { inputs: ['data'], outputs: [] };
    expect(() => {
      checkPlaceholders('train ${{inputs.data}}', declared);
    }).not.toThrow();
    expect(() => {
      checkPlaceholders('train ${{inputs.dta}}', declared);
    }).toThrow('${{inputs.dta}} names nothing that the job declares: its inputs are data.');
    expect(() => {
      checkPlaceholders('train ${{outputs.m}}', declared);
    }).toThrow('there are no outputs');
    expect(() => {
      checkPlaceholders('train ${{search_space.lr}}', declared);
    }).toThrow('${{search_space.lr}} is not known');
    expect(() => {
      checkPlaceholders('train ${{inputs.data', declared);
    }).toThrow('not closed');
    expect(() => {
      checkPlaceholders('train $[[--x ${{inputs.data}}]]', declared);
    }).toThrow('Optional inputs');
  });
});
