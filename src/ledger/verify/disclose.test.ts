import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '../../lib/ids.ts';
import { entryOf } from '../catalogue/entry.ts';
import { attribution, decidedFact } from '../testing/ledger-fixture.ts';
import { toldOf } from '../testing/told.ts';
import { canonical, type Value } from './canonical.ts';
import { commitmentsOf } from './commitment.ts';
import { discloseEntry, formatDisclosures, parseDisclosures, type Disclosure } from './disclose.ts';

function recorded(id: string, name: string) {
  const chain = [{ kind: 'user', id: '22222222-2222-4222-8222-222222222222', name } as const];
  const entry = entryOf(decidedFact({ attribution: attribution({ chain }) }), {
    id: id as EventId,
    time: 1_770_000_000_000,
    origin: 'log.test',
    productVersion: '1',
    position: null,
  });
  return { entry: entry.bytes, ...toldOf(entry) };
}

const one = recorded('evt_1', 'Ada');
const other = recorded('evt_2', 'Ada');
const [name, address, agent] = one.disclosures;
if (name === undefined || address === undefined || agent === undefined) throw new Error('nothing is bound');

const disclose = (disclosures: readonly Disclosure[], event = 'evt_1', entry = one.entry) =>
  discloseEntry(entry, formatDisclosures({ event, disclosures }));
const reasonOf = (verdict: ReturnType<typeof discloseEntry>) => (verdict.ok ? 'accepted' : verdict.reason);

describe('a disclosure', () => {
  it('shows the values that were chosen, in their places, and no others', () => {
    const all = disclose(one.disclosures);
    expect(all).toMatchObject({ ok: true, event: one.event, withheld: [] });
    const chosen = disclose([name]);
    expect(chosen).toMatchObject({
      ok: true,
      event: {
        actor: { user: { name: 'Ada' } },
        unmapped: { lockstep: { chain: [{ name: 'Ada' }], sealed: [{ at: address.at }, { at: agent.at }] } },
      },
    });
    expect(JSON.stringify(chosen)).not.toContain('127.0.0.1');
    expect(disclose([])).toMatchObject({ ok: true, withheld: [{}, {}, {}] });
  });

  it('of another value, with another salt, or of one that is the same in another event is refused', () => {
    expect(reasonOf(disclose([{ ...name, value: 'Eve' }]))).toContain('is not what the entry binds');
    expect(reasonOf(disclose([{ ...name, salt: address.salt }]))).toContain('is not what the entry binds');
    const theirs = other.disclosures[0] ?? name;
    expect(theirs.value).toBe(name.value);
    expect(reasonOf(disclose([theirs]))).toContain('is not what the entry binds');
    expect(reasonOf(disclose([name], 'evt_2', other.entry))).toContain('is not what the entry binds');
    expect(reasonOf(disclose([name], 'evt_2'))).toContain('are of evt_2, the entry is of evt_1');
  });

  it('moved to another place, to fewer or to more, twice, or where nothing is bound is refused', () => {
    for (const at of [address.at, name.at.slice(0, 1), [...name.at].reverse(), [...name.at, '/time'], []]) {
      expect(reasonOf(disclose([{ ...name, at }]))).toMatch(/binds nothing more at|not what the entry binds/);
    }
    expect(reasonOf(disclose([name, name]))).toContain('binds nothing more at');
    expect(reasonOf(disclose([{ ...name, at: ['/unmapped/lockstep/allowed'], value: false }]))).toContain(
      'binds nothing more',
    );
  });

  it.each<[string, (text: string) => string]>([
    ['a member more', (text) => text.replace('"salt"', '"note":"x","salt"')],
    ['a member more around it', (text) => text.replace('{"disclosures"', '{"also":1,"disclosures"')],
    ['a member twice', (text) => text.replace('"salt":', '"salt":"AAAAAAAAAAAAAAAAAAAAAA","salt":')],
    ['a member less', (text) => text.replace(/,"value":"Ada"/, '')],
    ['a short salt', (text) => text.replace(/"salt":"../, '"salt":"')],
    ['a place that is no text', (text) => text.replace('"at":["', '"at":[7,"')],
    ['space in between', (text) => text.replace(',', ', ')],
    ['something behind it', (text) => `${text}{}`],
    [
      'a value that is nested without end',
      (text) => text.replace('"Ada"', `${'['.repeat(200_000)}${']'.repeat(200_000)}`),
    ],
    ['no JSON', () => 'x'],
    ['no object', () => '[]'],
  ])('with %s is not in form', (_, change) => {
    const text = formatDisclosures({ event: 'evt_1', disclosures: [name] });
    expect(parseDisclosures(text)).not.toBeNull();
    expect(change(text)).not.toBe(text);
    expect(reasonOf(discloseEntry(one.entry, change(text)))).toContain('not in form');
  });

  it('that are refused are not told at any length, nor with what a terminal acts on', () => {
    const at = Array.from({ length: 10_000 }, (_, i) => `/\u001b[2K${i}`);
    const reason = reasonOf(disclose([{ ...name, at }]));
    expect(reason).toContain('binds nothing more at');
    expect(reason.length).toBeLessThan(2_000);
    // eslint-disable-next-line no-control-regex
    expect(reason).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  it('of an entry that was altered shows nothing that was not bound, whatever is altered', () => {
    const text = formatDisclosures({ event: 'evt_1', disclosures: [name] });
    fc.assert(
      fc.property(fc.nat({ max: one.entry.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = Uint8Array.from(one.entry);
        altered[at] = (altered[at] ?? 0) ^ flip;
        const verdict = discloseEntry(altered, text);
        expect(!verdict.ok || verdict.disclosed.every(({ value }) => value === 'Ada')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what an entry binds', () => {
  const event = (sealed: Value): { [member: string]: Value } => ({
    time: 1,
    list: [{ a: 1 }],
    unmapped: { lockstep: { sealed } },
  });
  const hash = 'A'.repeat(43);

  it.each<[string, Value]>([
    ['something that is there', [{ at: ['/time'], hash }]],
    [
      'the same place twice',
      [
        { at: ['/x'], hash },
        { at: ['/x'], hash },
      ],
    ],
    ['a place beneath nothing', [{ at: ['/x/y'], hash }]],
    ['a place in a list', [{ at: ['/list/0'], hash }]],
    ['a place beyond a list', [{ at: ['/list/1/b'], hash }]],
    ['a place in a text', [{ at: ['/time/x'], hash }]],
    ['the whole event', [{ at: [''], hash }]],
    ['no place', [{ at: [], hash }]],
    ['a hash that is none', [{ at: ['/x'], hash: 'short' }]],
    ['nothing in form', 'x'],
    ['an item that is none', [7]],
    ['a pointer that is none', [{ at: ['x'], hash }]],
    ['a pointer with a wrong escape', [{ at: ['/~2'], hash }]],
  ])('cannot be %s', (_, sealed) => {
    expect(commitmentsOf(event(sealed))).toBeNull();
  });

  it('may be any member that is not there, of an item of a list and named __proto__ too', () => {
    const sealed = [{ at: ['/list/0/b', '/a~1b', '/__proto__'], hash }];
    expect(commitmentsOf(event(sealed))).toEqual(sealed);
    expect(commitmentsOf({ time: 1 })).toEqual([]);
  });
});

it('the canonical form is that of RFC 8785, and there is none for half a surrogate pair', () => {
  expect(canonical({ b: [1, true, null], a: { ä: 'x', A: 1e21 }, '': '"' })).toBe(
    '{"":"\\"","a":{"A":1e+21,"ä":"x"},"b":[1,true,null]}',
  );
  expect(canonical(['\ud800'])).toBeNull();
  expect(canonical({ '\ud800': 1 })).toBeNull();
});
