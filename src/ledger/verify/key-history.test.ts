import { describe, expect, it } from 'vitest';
import { createSigner, generateNoteKey, signTogether, type NoteSigner } from '../note.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { MemoryLog, entries } from '../testing/memory-log.ts';
import {
  formatKeyExchange,
  formatKeyHistory,
  openKeyExchange,
  walkKeys,
  type ExchangeReason,
} from './key-history.ts';
import { openCheckpoint } from './open-checkpoint.ts';

const origin = 'log.test/a';
const [a, b, c, d, mallory] = Array.from({ length: 5 }, () =>
  createSigner(generateNoteKey(origin).signingKey),
) as [NoteSigner, NoteSigner, NoteSigner, NoteSigner, NoteSigner];

function exchanged(
  from: NoteSigner,
  to: NoteSigner,
  { reason = 'planned', by = [to, from] }: { reason?: ExchangeReason; by?: NoteSigner[] } = {},
): string {
  const text = formatKeyExchange({
    origin,
    from: from.verifierKey,
    to: to.verifierKey,
    time: 1_770_000_000,
    reason,
  });
  const [first, ...others] = by;
  return signTogether(first!, others).sign(text);
}

describe('a walk along the history of keys', () => {
  const history = formatKeyHistory([exchanged(a, b), exchanged(b, c)]);

  it.each([
    ['the first', a],
    ['one in between', b],
    ['the newest', c],
  ])('leads from %s to the newest, and names all of them for receipts of every time', (_which, trusted) => {
    expect(walkKeys(history, [trusted.verifierKey])).toMatchObject({
      ok: true,
      current: c.verifierKey,
      keys: [a, b, c].map(({ verifierKey }) => verifierKey),
    });
  });

  it('of a log with one key stays where it is', () => {
    expect(walkKeys('', [a.verifierKey])).toEqual({
      ok: true,
      current: a.verifierKey,
      keys: [a.verifierKey],
      onward: [a.verifierKey],
      exchanges: [],
    });
  });

  it.each([
    ['the first', [a], [a, b, c]],
    ['one in between', [b], [b, c]],
    ['an old one and a newer one', [a, b], [b, c]],
    ['a newer one and an old one', [b, a], [b, c]],
    ['the newest', [c], [c]],
  ])('has today’s checkpoint signed by no older key than is trusted: of %s', (_which, trusted, onward) => {
    const keysOf = (of: readonly NoteSigner[]) => of.map(({ verifierKey }) => verifierKey);
    expect(walkKeys(history, keysOf(trusted))).toMatchObject({ ok: true, onward: keysOf(onward) });
  });

  it('refuses keys that it does not know', () => {
    expect(walkKeys(history, [mallory.verifierKey])).toMatchObject({ ok: false });
    expect(walkKeys(history, [])).toMatchObject({ ok: false });
  });

  it.each([
    ['the old key has not signed', exchanged(a, b, { by: [b] })],
    ['the new key has not signed', exchanged(a, b, { by: [a] })],
    ['a stranger has signed for the old key', exchanged(a, b, { by: [b, mallory] })],
    ['the text was altered after', exchanged(a, b).replace(b.verifierKey, mallory.verifierKey)],
    ['a line was added after', exchanged(a, b).replace('\n\n', '\nmore\n\n')],
    ['it is an exchange with itself', exchanged(a, a, { by: [a] })],
    ['the keys are of another log', exchanged(a, b).replace(`\n${origin}\n`, '\nlog.test/b\n')],
  ])('refuses a note where %s', (_why, note) => {
    expect(openKeyExchange(note)).toBeNull();
    expect(walkKeys(note, [a.verifierKey])).toMatchObject({ ok: false });
    expect(walkKeys(formatKeyHistory([exchanged(a, b), note]), [a.verifierKey])).toMatchObject({ ok: false });
  });

  it('refuses two successors of one key, and two predecessors, wherever they stand', () => {
    for (const second of [exchanged(a, mallory), exchanged(mallory, b)]) {
      expect(walkKeys(formatKeyHistory([exchanged(a, b), second]), [a.verifierKey])).toMatchObject({
        ok: false,
        reason: expect.stringContaining('contradicts itself') as string,
      });
    }
  });

  it.each([
    ['leaves out a key that is trusted too', [exchanged(a, mallory)]],
    ['is empty, of a log of which two keys are trusted', []],
  ])('that %s is refused: whoever stole the older one could have written it', (_which, notes) => {
    for (const trusted of [
      [a, b],
      [b, a],
    ]) {
      const keys = trusted.map(({ verifierKey }) => verifierKey);
      expect(walkKeys(formatKeyHistory(notes), keys)).toMatchObject({
        ok: false,
        reason: expect.stringContaining('trusted') as string,
      });
    }
    const other = createSigner(generateNoteKey('log.test/other').signingKey);
    expect(walkKeys(formatKeyHistory(notes), [a.verifierKey, other.verifierKey])).toMatchObject({ ok: true });
  });

  it('refuses a circle', () => {
    const circle = formatKeyHistory([exchanged(a, b), exchanged(b, a)]);
    expect(walkKeys(circle, [a.verifierKey])).toMatchObject({ ok: false });
  });

  it('does not pass a compromised key, forwards or backwards, unless the new key is trusted already', () => {
    const compromised = formatKeyHistory([
      exchanged(a, b),
      exchanged(b, c, { reason: 'compromised' }),
      exchanged(c, d),
    ]);
    expect(walkKeys(compromised, [a.verifierKey])).toMatchObject({
      ok: false,
      reason: expect.stringContaining('compromised on 2026-02-02') as string,
    });
    for (const trusted of [[c], [d], [a, c], [c, a], [d, c, b, a]]) {
      expect(
        walkKeys(
          compromised,
          trusted.map(({ verifierKey }) => verifierKey),
        ),
      ).toMatchObject({ ok: true, current: d.verifierKey, keys: [c.verifierKey, d.verifierKey] });
    }
  });
});

describe('a checkpoint by another key of the same name', () => {
  it('is refused with the way to the new key; one of another name without', () => {
    const log = new MemoryLog(b);
    const note = log.grow(entries(0, 3));
    const { reason } = openCheckpoint(note, a.verifierKey) as { reason: string };
    expect(reason).toContain(`signed by another key (id ${b.verifierKey.split('+')[1]}) of the log's name`);
    expect(reason).toContain('key-history');
    const stranger = generateNoteKey('log.test/other').verifierKey;
    expect(openCheckpoint(note, stranger)).toMatchObject({
      ok: false,
      reason: 'the checkpoint is refused: no trusted key has signed the note',
    });
  });
});

it('a note of an exchange is never a checkpoint, nor the other way round', () => {
  const text = formatKeyExchange({
    origin,
    from: a.verifierKey,
    to: b.verifierKey,
    time: 1,
    reason: 'planned',
  });
  expect(parseCheckpoint(text)).toBeNull();
  expect(openKeyExchange(new MemoryLog(a).grow(entries(0, 1)))).toBeNull();
});
