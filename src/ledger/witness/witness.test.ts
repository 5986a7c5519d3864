import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import { createSigner, generateNoteKey, openNote, signTogether } from '../note.ts';
import { memorySource } from '../sources/memory-source.ts';
import { entries, MemoryLog } from '../testing/memory-log.ts';
import { WitnessHouse } from '../testing/witness-house.ts';
import { consistencyProof } from '../tlog/proof.ts';
import { subtreesOf } from '../verify/read-tile.ts';
import { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts';

let house: WitnessHouse;
let log: MemoryLog;

beforeEach(async () => {
  house = new WitnessHouse('ada');
  log = new MemoryLog();
  await house.start([log.signer.verifierKey]);
});

afterEach(() => house.remove());

async function send(body: string | Buffer): Promise<{ status: number; type: string | null; body: string }> {
  const answer = await fetch(`${house.url}/add-checkpoint`, { method: 'POST', body });
  return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
}

async function proofFrom(of: MemoryLog, oldSize: number, size: number): Promise<Uint8Array[]> {
  return consistencyProof(oldSize, size, subtreesOf(memorySource(of.files), size));
}

async function grow(
  from: number,
  to: number,
): Promise<{ status: number; type: string | null; body: string }> {
  const checkpoint = log.grow(entries(from, to));
  return send(formatAddCheckpoint({ oldSize: from, proof: await proofFrom(log, from, to), checkpoint }));
}

describe('the witness', () => {
  it('cosigns a log that grows, and cosigns the same checkpoint again', async () => {
    for (const [from, to] of [
      [0, 1],
      [1, 300],
      [300, 1000],
    ] as const) {
      const answer = await grow(from, to);
      expect(answer.status).toBe(200);
      const note = Buffer.from(log.files.get('checkpoint') ?? '').toString();
      const opened = openNote(note + answer.body, [house.verifierKey]);
      expect(opened).toMatchObject({ ok: true, signatures: [{ name: 'witness.test/ada' }] });
    }
    const checkpoint = Buffer.from(log.files.get('checkpoint') ?? '').toString();
    expect(await send(formatAddCheckpoint({ oldSize: 1000, proof: [], checkpoint }))).toMatchObject({
      status: 200,
    });
  });

  it('refuses a rollback, and names the size that it holds', async () => {
    const old = log.grow(entries(0, 10));
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: old }))).toMatchObject({
      status: 200,
    });
    expect(await grow(10, 20)).toMatchObject({ status: 200 });
    for (const oldSize of [0, 10, 5]) {
      const answer = await send(formatAddCheckpoint({ oldSize, proof: [], checkpoint: old }));
      expect(answer).toEqual({ status: 409, type: 'text/x.tlog.size', body: '20\n' });
    }
  });

  it('remembers what it has cosigned when it is started again', async () => {
    expect(await grow(0, 10)).toMatchObject({ status: 200 });
    await house.stop();
    await house.start([log.signer.verifierKey]);
    const fork = new MemoryLog(log.signer);
    const checkpoint = fork.grow(entries(100, 110));
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint }))).toMatchObject({
      status: 409,
    });
    expect(await send(formatAddCheckpoint({ oldSize: 10, proof: [], checkpoint }))).toMatchObject({
      status: 422,
    });
    expect(await grow(10, 11)).toMatchObject({ status: 200 });
  });

  it('refuses another history with every proof that can be had for it', async () => {
    expect(await grow(0, 10)).toMatchObject({ status: 200 });
    const fork = new MemoryLog(log.signer);
    const checkpoint = fork.grow(entries(5, 25));
    const honest = new MemoryLog();
    honest.grow(entries(0, 20));
    for (const proof of [
      await proofFrom(fork, 10, 20),
      await proofFrom(honest, 10, 20),
      [],
      Array.from({ length: 63 }, () => new Uint8Array(32)),
    ]) {
      expect(await send(formatAddCheckpoint({ oldSize: 10, proof, checkpoint }))).toMatchObject({
        status: 422,
      });
    }
    const tooLong = `old 10\n${`${'A'.repeat(43)}=\n`.repeat(64)}\n${checkpoint}`;
    expect(await send(tooLong)).toMatchObject({ status: 400 });
    expect(await grow(10, 20)).toMatchObject({ status: 200 });
  });

  it('asks for an empty proof from an empty log, and for its one root', async () => {
    const checkpoint = log.grow(entries(0, 4));
    const proof = await proofFrom(log, 2, 4);
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof, checkpoint }))).toMatchObject({ status: 422 });
    const empty = log.signer.sign(`${log.signer.name}\n0\n${Buffer.alloc(32).toString('base64')}\n`);
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: empty }))).toMatchObject({
      status: 422,
    });
  });

  it('knows no other log, and no other key of this one', async () => {
    const stranger = new MemoryLog(createSigner(generateNoteKey('log.test/stranger').signingKey));
    const forger = new MemoryLog(createSigner(generateNoteKey(log.signer.name).signingKey));
    const other = stranger.grow(entries(0, 3));
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: other }))).toMatchObject({
      status: 404,
    });
    const forged = forger.grow(entries(0, 3));
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: forged }))).toMatchObject({
      status: 403,
    });
    const spoilt = log.grow(entries(0, 3)).replace('\n3\n', '\n2\n');
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: spoilt }))).toMatchObject({
      status: 403,
    });
    // Signed by a key that it knows, but of an origin that is another log's.
    const mixed = log.signer.sign(`log.test/stranger\n3\n${Buffer.alloc(32).toString('base64')}\n`);
    expect(await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: mixed }))).toMatchObject({
      status: 404,
    });
    expect(await grow(3, 4)).toMatchObject({ status: 409, body: '0\n' });
  });

  it('never cosigns by an earlier time than before, also after a restart, and goes on once its clock is past it', async () => {
    const clock = new ManualClock(1_770_000_000_900);
    const timeOf = (line: string) => {
      const opened = openNote(Buffer.from(log.files.get('checkpoint') ?? '').toString() + line, [
        house.verifierKey,
      ]);
      return opened.ok ? opened.signatures[0]?.time : opened.reason;
    };
    const started = async () => {
      await house.stop();
      return house.start([log.signer.verifierKey], clock);
    };
    const growth = async (from: number, to: number) => {
      const checkpoint = log.grow(entries(from, to));
      return formatAddCheckpoint({ oldSize: from, proof: await proofFrom(log, from, to), checkpoint });
    };
    let witness = await started();
    expect(timeOf(witness.addCheckpoint(await growth(0, 3)).body)).toBe(1_770_000_000);
    clock.set(-3_600_000);
    const next = await growth(3, 4);
    expect(witness.addCheckpoint(next)).toMatchObject({
      status: 503,
      body: 'my clock is behind 2026-02-02T02:40:00.900Z, when I cosigned last\n',
    });
    witness = await started();
    expect(witness.addCheckpoint(next)).toMatchObject({ status: 503 });
    // Within the same second it is the same time.
    clock.set(3_600_000 - 500);
    expect(timeOf(witness.addCheckpoint(next).body)).toBe(1_770_000_000);
    clock.advance(5_000);
    expect(timeOf(witness.addCheckpoint(await growth(4, 5)).body)).toBe(1_770_000_005);
  });

  it('goes with a log from one key to the next, by either while both sign', async () => {
    const next = createSigner(generateNoteKey(log.signer.name).signingKey);
    expect(await grow(0, 3)).toMatchObject({ status: 200 });
    await house.stop();
    await house.start([log.signer.verifierKey, next.verifierKey]);
    const both = signTogether(next, [log.signer]);
    const text = (note: string) => note.slice(0, note.indexOf('\n\n') + 1);
    const at5 = both.sign(text(log.grow(entries(3, 5))));
    const first = { oldSize: 3, proof: await proofFrom(log, 3, 5), checkpoint: at5 };
    expect(await send(formatAddCheckpoint(first))).toMatchObject({ status: 200 });
    const at9 = next.sign(text(log.grow(entries(5, 9))));
    const second = { oldSize: 5, proof: await proofFrom(log, 5, 9), checkpoint: at9 };
    expect(await send(formatAddCheckpoint(second))).toMatchObject({ status: 200 });
  });

  it('finds malformed what is not in the form of the specification', async () => {
    const checkpoint = log.grow(entries(0, 3));
    for (const body of [
      '',
      'old 0\n',
      checkpoint,
      `old 00\n\n${checkpoint}`,
      `old -1\n\n${checkpoint}`,
      `old  0\n\n${checkpoint}`,
      `Old 0\n\n${checkpoint}`,
      `old 0\nAAAA\n\n${checkpoint}`,
      `old 0\r\n\r\n${checkpoint}`,
      `old 4\n\n${checkpoint}`,
    ]) {
      expect([body, (await send(body)).status]).toEqual([body, 400]);
    }
    expect(parseAddCheckpoint(`old 0\n\n${checkpoint}`)).toEqual({ oldSize: 0, proof: [], checkpoint });
    expect((await fetch(`${house.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${house.url}/`)).status).toBe(404);
  });

  it('cosigns one only of two histories that arrive at the same moment', async () => {
    const fork = new MemoryLog(log.signer);
    const bodies = [log.grow(entries(0, 7)), fork.grow(entries(50, 57))].map((checkpoint) =>
      formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint }),
    );
    const answers = await Promise.all(bodies.map(send));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409]);
  });

  it('shows monitors the newest checkpoint of a log, with the log’s signature and its own only', async () => {
    const hash = createHash('sha256').update(log.signer.name).digest('hex');
    const at = `${house.url}/${hash}/checkpoint`;
    expect((await fetch(at)).status).toBe(404);
    const checkpoint = log.grow(entries(0, 3));
    const noise = createSigner(generateNoteKey('noise.test').signingKey).sign('x\n').slice('x\n\n'.length);
    const answer = await send(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: checkpoint + noise }));
    expect(await (await fetch(at)).text()).toBe(checkpoint + answer.body);
  });
});
