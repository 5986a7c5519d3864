import { expect, test } from 'vitest';
import { bytes, count, duration, moment, timeOfDay } from './amounts.ts';
import { progress } from './progress.ts';
import { plain, styleFor } from './style.ts';
import { facts, growingTable, table } from './table.ts';

const bare = styleFor(false);
const rows = [
  { name: 'ada', size: '12', note: null },
  { name: 'grace hopper', size: '4', note: null },
];
const columns = [
  { title: 'NAME', value: (row: (typeof rows)[number]) => row.name },
  { title: 'NOTE', value: (row: (typeof rows)[number]) => row.note },
  { title: 'SIZE', value: (row: (typeof rows)[number]) => row.size, align: 'right' as const },
];

test('a table without an end widens with its rows, but not for one that stands out, and cuts nothing', () => {
  const row = growingTable(8);
  expect(row(['ada', 'read', '/a'])).toBe('ada  read  /a');
  expect(row(['grace', 'read', '/b'])).toBe('grace  read  /b');
  expect(row(['bo', 'a very long operation', '/c'])).toBe('bo     a very long operation  /c');
  const hostile = row(['bo', 'read', '/d\n\u001b[31m']);
  expect(hostile.startsWith('bo     read      /d ')).toBe(true);
  expect(hostile).not.toContain('\n');
  expect(hostile).not.toContain('\u001b');
  expect(row(['bo', '', ''])).toBe('bo');
});

test('a table is aligned, leaves empty columns out and ends no line with blanks', () => {
  expect(table(rows, columns, bare, null)).toBe('NAME          SIZE\nada             12\ngrace hopper     4');
});

test('a table without rows is nothing', () => {
  expect(table([], columns, bare, null)).toBe('');
});

test('on a narrow terminal a row goes on in the next line, and no id is cut', () => {
  const id = '7729f297-1735-463e-b1ff-0b317397070e';
  const assignments = [{ role: 'Owner', who: 'Ada Byron', id, scope: '/' }];
  const shown = table(
    assignments,
    [
      { title: 'ROLE', value: (row) => row.role },
      { title: 'ASSIGNEE', value: (row) => row.who },
      { title: 'ASSIGNMENT', value: (row) => row.id },
      { title: 'SCOPE', value: (row) => row.scope },
    ],
    bare,
    48,
  );
  expect(shown).toBe(
    [
      'ROLE   ASSIGNEE',
      '    ASSIGNMENT                            SCOPE',
      'Owner  Ada Byron',
      `    ${id}  /`,
    ].join('\n'),
  );
});

test('prose in the last column is wrapped beside itself, and whole in a pipe', () => {
  const roles = [{ role: 'Reader', about: 'Sees every resource and changes none of them.' }];
  const shape = [
    { title: 'ROLE', value: (row: (typeof roles)[number]) => row.role },
    { title: 'DESCRIPTION', value: (row: (typeof roles)[number]) => row.about },
  ];
  expect(table(roles, shape, bare, 36)).toBe(
    'ROLE    DESCRIPTION\nReader  Sees every resource and\n        changes none of them.',
  );
  expect(table(roles, shape, bare, null)).toContain('Sees every resource and changes none of them.');
});

test('without colour there is no escape sequence', () => {
  expect(
    facts(
      [
        ['a', 'b'],
        ['c', null],
      ],
      bare,
    ),
  ).toBe('a  b');
  expect(styleFor(true).bad('x')).toContain('\u001b[31m');
});

test('a name from the server cannot move the cursor, forge a line or reverse the text', () => {
  expect(plain('ada\u001b[2K\r\u202eroot')).toBe('ada\u{fffd}[2K\u{fffd}\u{fffd}root');
  const forged = [{ name: 'ada\nroot  allowed', size: '1', note: null }];
  expect(table(forged, columns, bare, null).split('\n')).toHaveLength(2);
});

test('progress draws on a terminal only, and leaves one line', () => {
  const drawn: string[] = [];
  const target = { write: (text: string) => drawn.push(text) };
  const piped = progress(target, false, 'uploading', bytes);
  piped.at(1, 2);
  piped.end('done');
  expect(drawn).toEqual(['done\n']);
  const shown = progress(target, true, 'uploading', bytes);
  shown.at(1, 2);
  shown.end('done');
  expect(drawn[1]).toContain(' 50 %  1 B');
  expect(drawn[2]).toBe('\r\u001b[Kdone\n');
});

test('amounts read as a person would say them', () => {
  expect([bytes(0), bytes(999), bytes(1400), bytes(123_456_789)]).toEqual([
    '0 B',
    '999 B',
    '1.4 kB',
    '123 MB',
  ]);
  expect([count(1, 'file'), count(1200, 'entry', 'entries')]).toEqual(['1 file', '1,200 entries']);
  expect([
    duration(840),
    duration(3240),
    duration(250_000),
    duration(7_500_000),
    duration(273_600_000),
  ]).toEqual(['840 ms', '3.2 s', '4 min 10 s', '2 h 5 min', '3 d 4 h']);
  expect([moment(0), moment('2026-03-01T12:00:00.5+01:00'), moment(null)]).toEqual([
    '1970-01-01 00:00:00Z',
    '2026-03-01 11:00:00Z',
    '',
  ]);
  expect(timeOfDay('2026-03-01T12:00:00.5+01:00')).toBe('11:00:00Z');
});
