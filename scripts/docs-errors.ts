// Writes docs/reference/errors.md from the error table; --check compares.
import { errorTable } from '../src/lib/errors.ts';
import { writeOrCheck } from './write-or-check.ts';

const rows = Object.entries(errorTable).map(
  ([code, { status, oauth, azure, sentence }]) =>
    `| \`${code}\` | ${status} | \`${azure}\` | \`${oauth}\` | ${sentence} |`,
);

await writeOrCheck(
  'docs/reference/errors.md',
  [
    '# Errors',
    '',
    'Every failure that a caller can see has one code. Each protocol tells it in its own words: the admin API and the',
    'command line in Lockstep’s code, the resource manager and the blob service in Azure’s, the token service in OAuth’s.',
    'Microsoft Graph’s clients get the codes that they know, such as `Authorization_RequestDenied`; every other is Azure’s.',
    '',
    'A denial names the action, the scope, the one policy that caused it and the id of the decision:',
    '`lockstep explain <decision id>` says what would allow it, and who can grant that.',
    '',
    '| Code | HTTP status | Azure | OAuth 2.0 | When it says nothing more precise |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n'),
);
