import { describe, expect, it } from 'vitest';
import { newDecisionId, newRequestId } from '../../lib/ids.ts';
import { isOpaqueId } from './correlation.ts';

describe('an id that tells of nobody', () => {
  it.each([
    '0a0a0a0a-1111-4222-8333-444444444444',
    '0A0A0A0A-1111-4222-8333-444444444444',
    '4bf92f3577b34da6a3ce929d0e0e4736',
    '00f067aa0ba902b7',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    newRequestId(1_770_000_000_000),
    newDecisionId(1_770_000_000_000),
  ])('is %s', (id) => {
    expect(isOpaqueId(id)).toBe(true);
  });
});

describe('a text that may tell of somebody', () => {
  it.each([
    'jane.doe@example.org',
    'jane.doe',
    'jane-doe-nightly-17',
    'ada',
    'deadbeef',
    // Numbers of cards and of people.
    '4111111111111111',
    '19851224-1234',
    '19851224123419851224123419851224',
    // Hexadecimal, and no number in it.
    'adadeccaadadecca',
    '0a0a0a0a-1111-4222-8333-444444444444-jane',
    'jane_01h455vb4pex5vsknk084sn02q',
    'req_jane-doe-jane-doe-jane-doe',
    'jane.doe.was.here.with.her',
    '',
  ])('is %s', (text) => {
    expect(isOpaqueId(text)).toBe(false);
  });
});
