import { describe, expect, it } from 'vitest';
import { createCosigner, createSigner, generateNoteKey } from '../note.ts';
import { formatCheckpoint } from '../tlog/checkpoint.ts';
import { emptyRoot } from '../tlog/hash.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import { formatPolicy, parsePolicy, quorumMet, type Policy } from './policy.ts';

const log = generateNoteKey('log.test/a');
const witnesses = Object.fromEntries(
  ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'].map((name) => [
    name,
    generateNoteKey(`w.test/${name}`, 'cosignature'),
  ]),
);
const key = (name: string): string => witnesses[name]?.verifierKey ?? '';

/** The example of c2sp.org/tlog-policy. */
const example = `log ${log.verifierKey}

witness X1 ${key('X1')}
witness X2 ${key('X2')} https://x2.test/
\twitness  X3\t${key('X3')}
group X-witnesses 2 X1 X2 X3

# the second organisation
witness Y1 ${key('Y1')}
witness Y2 ${key('Y2')}
witness Y3 ${key('Y3')}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

function parsed(text: string): Policy {
  const result = parsePolicy(text);
  if (!result.ok) throw new Error(result.reason);
  return result.policy;
}

describe('a policy', () => {
  it('asks for the groups of the specification’s example', () => {
    const policy = parsed(example);
    const met = (...names: string[]) => quorumMet(policy, new Set(names));
    expect(met('X1', 'X2', 'Y1')).toBe(true);
    expect(met('X1', 'X3', 'Y3')).toBe(true);
    expect(met('X1', 'Y1', 'Y2', 'Y3')).toBe(false);
    expect(met('X1', 'X2', 'X3')).toBe(false);
    expect(met()).toBe(false);
  });

  it('is written so that it reads back the same', () => {
    const policy = parsed(example);
    expect(parsed(formatPolicy(policy))).toEqual(policy);
    expect(policy.witnesses[1]).toEqual({ name: 'X2', verifierKey: key('X2'), url: 'https://x2.test/' });
  });

  it('needs nobody for the quorum none, and may know its log from elsewhere', () => {
    expect(quorumMet(parsed('quorum none'), new Set())).toBe(true);
  });

  it.each([
    ['', 'quorum'],
    ['quorum X', 'not defined'],
    ['quorum none\nquorum none', 'line 2'],
    [`witness none ${key('X1')}\nquorum none`, 'line 1'],
    [`witness X ${key('X1')}\nwitness X ${key('X2')}\nquorum X`, 'line 2'],
    [`witness X ${key('X1')}\nwitness Y ${key('X1')}\nquorum X`, 'there already'],
    [`log ${log.verifierKey}\nlog ${log.verifierKey}\nquorum none`, 'line 2'],
    [`log ${key('X1')}\nquorum none`, 'not the verifier key of a log'],
    [`witness X ${log.verifierKey}\nquorum X`, 'not the verifier key of a witness'],
    [`witness X ${key('X1')} https://x/ more\nquorum X`, 'line 1'],
    [`group G all X\nwitness X ${key('X1')}\nquorum G`, 'not defined'],
    [`witness X ${key('X1')}\ngroup G 2 X\nquorum G`, '2 is not'],
    [`witness X ${key('X1')}\ngroup G 0 X\nquorum G`, '0 is not'],
    [`witness X ${key('X1')}\ngroup G 1.0 X\nquorum G`, '1.0 is not'],
    [`witness X ${key('X1')}\ngroup G any X X\nquorum G`, 'twice'],
    [`witness X ${key('X1')}\ngroup G any X\ngroup H any X\nquorum H`, 'twice'],
    [`witness X ${key('X1')}\ngroup G any none\nquorum G`, 'none'],
    [`witness X ${key('X1')}\ngroup G any\nquorum G`, 'line 2'],
    ['quorum none\r\n', 'control'],
    ['trust everybody\nquorum none', 'line 1'],
    ['QUORUM none', 'line 1'],
  ])('is refused with its line when it is malformed: %j', (text, reason) => {
    const result = parsePolicy(text);
    expect(result.ok ? 'accepted' : result.reason).toContain(reason);
  });
});

describe('a checkpoint under a policy', () => {
  const signer = createSigner(log.signingKey);
  const text = formatCheckpoint({ origin: signer.name, size: 0, root: emptyRoot });
  const signed = signer.sign(text);
  const cosign = (name: string, over = text) =>
    createCosigner(witnesses[name]?.signingKey ?? '').cosign(over, 1_700_000_000);
  const policy = parsed(example);

  it('is believed with the quorum, whatever else is on it, and says who cosigned', () => {
    const stranger = createCosigner(generateNoteKey('w.test/Z', 'cosignature').signingKey).cosign(text, 1);
    const note = signed + cosign('Y2') + stranger + cosign('X3') + cosign('X1');
    const opened = openCheckpoint(note, policy);
    expect(opened).toMatchObject({
      ok: true,
      cosignatures: [
        { witness: 'X1', time: 1_700_000_000 },
        { witness: 'X3', time: 1_700_000_000 },
        { witness: 'Y2', time: 1_700_000_000 },
      ],
    });
  });

  it('is refused without it, naming whose cosignature is missing', () => {
    const opened = openCheckpoint(signed + cosign('X1') + cosign('Y1'), policy);
    expect(opened.ok ? 'accepted' : opened.reason).toContain('not cosigned by X2, X3, Y2, Y3');
  });

  it('does not count a witness twice, nor the log as a witness, nor witnesses as the log', () => {
    const twice = signed + cosign('X1') + cosign('X1') + cosign('Y1');
    expect(openCheckpoint(twice, policy)).toMatchObject({ ok: false });
    const all = Object.keys(witnesses).map((name) => cosign(name));
    expect(openCheckpoint(`${text}\n${all.join('')}`, policy)).toMatchObject({ ok: false });
    expect(openCheckpoint(signed + all.join(''), policy)).toMatchObject({ ok: true });
  });

  it('is refused whole for a cosignature of a known witness that is of another text or time', () => {
    const other = formatCheckpoint({ origin: signer.name, size: 1, root: emptyRoot });
    const good = signed + cosign('X1') + cosign('X2') + cosign('Y1');
    expect(openCheckpoint(good, policy)).toMatchObject({ ok: true });
    expect(openCheckpoint(good + cosign('Y2', other), policy)).toMatchObject({ ok: false });
    const bytes = Buffer.from(cosign('Y2').split(' ')[2] ?? '', 'base64');
    bytes[11] = (bytes[11] ?? 0) ^ 1;
    expect(openCheckpoint(`${good}— w.test/Y2 ${bytes.toString('base64')}\n`, policy)).toMatchObject({
      ok: false,
    });
  });

  it('does not take a plain signature by a witness’s key for a cosignature', () => {
    const asLog = generateNoteKey('w.test/Y1');
    const plain = createSigner(asLog.signingKey)
      .sign(text)
      .slice(text.length + 1);
    expect(openCheckpoint(signed + cosign('X1') + cosign('X2') + plain, policy)).toMatchObject({ ok: false });
  });
});
