import { describe, expect, it } from 'vitest';
import { evaluateRead, parseConditions, writePrecondition } from './conditions.ts';

const updatedAt = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const current = { etag: '0xA', updatedAt };
const same = 'Fri, 02 Jan 2026 03:04:05 GMT';
const earlier = 'Fri, 02 Jan 2026 03:04:04 GMT';

function read(headers: Record<string, string>): string {
  try {
    return evaluateRead(parseConditions(headers), current);
  } catch (error) {
    return codeOf(error);
  }
}

function write(
  headers: Record<string, string>,
  creates: boolean,
  on: typeof current | null = current,
): string {
  try {
    writePrecondition(parseConditions(headers), creates)(on);
    return 'proceed';
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return String((error as { details?: { blobCode?: unknown } }).details?.blobCode ?? error);
}

describe('a read', () => {
  it.each([
    [{}, 'proceed'],
    [{ 'if-match': '"0xA"' }, 'proceed'],
    [{ 'if-match': '0xA' }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': '"0xB", "0xA"' }, 'proceed'],
    [{ 'if-match': '"0xB"' }, 'ConditionNotMet'],
    [{ 'if-match': 'W/"0xA"' }, 'ConditionNotMet'],
    [{ 'if-none-match': '"0xA"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"0xA"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"0xB"' }, 'proceed'],
    [{ 'if-modified-since': same }, 'not-modified'],
    [{ 'if-modified-since': earlier }, 'proceed'],
    [{ 'if-none-match': '"0xB"', 'if-modified-since': same }, 'proceed'],
    [{ 'if-unmodified-since': same }, 'proceed'],
    [{ 'if-unmodified-since': earlier }, 'ConditionNotMet'],
    [{ 'if-match': '"0xA"', 'if-unmodified-since': earlier }, 'proceed'],
    [{ 'if-match': '' }, 'InvalidHeaderValue'],
    [{ 'if-match': '"0xA" "0xB"' }, 'InvalidHeaderValue'],
    [{ 'if-none-match': '"0xA", *' }, 'InvalidHeaderValue'],
    [{ 'if-modified-since': 'yesterday' }, 'InvalidHeaderValue'],
    [{ 'if-unmodified-since': '2026-01-02' }, 'InvalidHeaderValue'],
  ] as [Record<string, string>, string][])('under %j: %s', (headers, outcome) => {
    expect(read(headers)).toBe(outcome);
  });
});

describe('a write', () => {
  it.each([
    [{}, true, 'proceed'],
    [{ 'if-none-match': '*' }, true, 'BlobAlreadyExists'],
    [{ 'if-none-match': '*' }, false, 'ConditionNotMet'],
    [{ 'if-none-match': '"0xA"' }, true, 'ConditionNotMet'],
    [{ 'if-none-match': '"0xB"' }, true, 'proceed'],
    [{ 'if-match': '"0xA"' }, true, 'proceed'],
    [{ 'if-match': '"0xB"' }, true, 'ConditionNotMet'],
    [{ 'if-match': '"0xA"', 'if-unmodified-since': earlier }, true, 'ConditionNotMet'],
    [{ 'if-modified-since': same }, true, 'ConditionNotMet'],
    [{ 'if-modified-since': earlier }, true, 'proceed'],
    [{ 'if-unmodified-since': earlier }, true, 'ConditionNotMet'],
  ] as [Record<string, string>, boolean, string][])(
    'under %j (creates: %j): %s',
    (headers, creates, outcome) => {
      expect(write(headers, creates)).toBe(outcome);
    },
  );

  it.each([
    [{}, 'proceed'],
    [{ 'if-none-match': '*' }, 'proceed'],
    [{ 'if-match': '*' }, 'ConditionNotMet'],
    [{ 'if-match': '"0xA"' }, 'ConditionNotMet'],
  ] as [Record<string, string>, string][])('of what is not there, under %j: %s', (headers, outcome) => {
    expect(write(headers, true, null)).toBe(outcome);
  });
});
