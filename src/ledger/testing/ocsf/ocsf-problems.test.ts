import { expect, test } from 'vitest';
import type { EventId } from '../../../lib/ids.ts';
import { entryOf } from '../../catalogue/entry.ts';
import { decidedFact } from '../ledger-fixture.ts';
import { ocsfProblems } from './ocsf-problems.ts';

const { bytes } = entryOf(decidedFact(), {
  id: 'evt_1' as EventId,
  time: 1_770_000_000_000,
  origin: 'log.test',
  productVersion: '1',
  position: null,
});
const good = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
  readonly [name: string]: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
};
const { time: _time, ...timeless } = good;

test('a valid event has no problems', () => {
  expect(ocsfProblems(good, '1.8.0')).toEqual([]);
});

test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
  ['an unknown attribute', { ...good, colour: 'red' }, /^colour: is not an attribute/],
  [
    'an unknown attribute further in',
    { ...good, metadata: { ...good.metadata, colour: 'red' } },
    /^metadata\.colour: is not/,
  ],
  [
    'a name that every object has',
    JSON.parse(JSON.stringify(good).replace('{', '{"__proto__":{},')) as typeof good,
    /^__proto__: is not/,
  ],
  ['a required attribute that is missing', timeless, /^time: is required/],
  [
    'an attribute of a profile that is not listed',
    { ...good, metadata: { ...good.metadata, profiles: [] } },
    /^action_id: is not/,
  ],
  [
    'a profile that is not known',
    { ...good, metadata: { ...good.metadata, profiles: ['security_control', 'host'] } },
    /host is not known/,
  ],
  ['a value that is not in the list', { ...good, severity_id: 77 }, /^severity_id: has no value 77/],
  ['a name that is not the id’s', { ...good, activity_name: 'Delete' }, /^activity_id: 2 is called Read/],
  ['a text for a number', { ...good, severity_id: 'high' }, /^severity_id: is not a integer_t/],
  ['a time in seconds', { ...good, time: 1_770_000_000 }, /^time: is not a timestamp_t/],
  ['what is no address', { ...good, src_endpoint: { ip: 'here' } }, /^src_endpoint\.ip: is not a ip_t/],
  ['an object that says nothing', { ...good, src_endpoint: {} }, /^src_endpoint: breaks at_least_one/],
  ['one where a list is due', { ...good, resources: {} }, /^resources: is not a list/],
  ['another class', { ...good, class_uid: 9_999 }, /is not a class/],
  ['a type that is not that of the activity', { ...good, type_uid: 1 }, /^type_uid/],
  [
    'a deprecated attribute',
    { ...good, actor: { user: { uid: 'x', credential_uid: 'y' } } },
    /^actor\.user\.credential_uid: is deprecated/,
  ],
])('%s is a problem', (_, event, problem) => {
  expect(ocsfProblems(event, '1.8.0')).toContainEqual(expect.stringMatching(problem));
});
