import { openNote } from '../note.ts';
import { parseDecimal } from '../tlog/checkpoint.ts';
import { formatAddCheckpoint, type AddCheckpoint } from './add-checkpoint.ts';

/** More than any answer needs: a signature of ML-DSA-44 beside ours is about 3 kB. */
const maxAnswerBytes = 64 * 1024;

export type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly line: string; readonly time: number }
  /** It has cosigned another size than we took for its newest. */
  | { readonly kind: 'conflict'; readonly size: number }
  /** It has looked at the checkpoint and does not cosign it. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

export interface AskedWitness {
  readonly verifierKey: string;
  /** Submission prefix. */
  readonly url: string;
}

const refusals: ReadonlyMap<number, string> = new Map([
  [400, 'it finds the request malformed'],
  [403, 'it does not accept the signature of this log: it may not know a new key'],
  [404, 'it does not know this log'],
  [422, 'the log is not consistent with what it has cosigned before'],
  [503, 'it cannot cosign now: its clock may be behind what it has cosigned before'],
]);

/** Asks one witness once. Never throws: whatever goes wrong is an answer. c2sp.org/tlog-witness, "add-checkpoint". */
export async function askWitness(
  witness: AskedWitness,
  request: AddCheckpoint,
  signal: AbortSignal,
): Promise<WitnessAnswer> {
  try {
    const address = new URL(`${witness.url.replace(/\/$/, '')}/add-checkpoint`);
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: formatAddCheckpoint(request),
      redirect: 'error',
      signal,
    });
    return interpret(response.status, await boundedText(response), witness, request);
  } catch (error) {
    return { kind: 'failed', reason: signal.aborted ? 'it does not answer in time' : messageOf(error) };
  }
}

function interpret(
  status: number,
  body: string,
  { verifierKey }: AskedWitness,
  { checkpoint }: AddCheckpoint,
): WitnessAnswer {
  if (status === 200) return cosignatureIn(body, checkpoint, verifierKey);
  if (status === 409) {
    const size = body.endsWith('\n') ? parseDecimal(body.slice(0, -1)) : null;
    return size === null
      ? { kind: 'failed', reason: 'it answers 409 without the size that it holds' }
      : { kind: 'conflict', size };
  }
  const reason = refusals.get(status);
  if (reason === undefined) return { kind: 'failed', reason: `it answers ${status}` };
  return { kind: 'refused', reason: `${reason} (${status})` };
}

/** Only a line that verifies under its key, over exactly our text, is let in; one that does not would spoil the note. */
function cosignatureIn(body: string, checkpoint: string, verifierKey: string): WitnessAnswer {
  const text = checkpoint.slice(0, checkpoint.lastIndexOf('\n\n') + 1);
  const opened = body.includes('\n\n') ? null : openNote(`${text}\n${body}`, [verifierKey]);
  const own = opened?.ok === true && opened.text === text ? opened.signatures[0] : undefined;
  if (own === undefined || own.time === null) {
    return { kind: 'failed', reason: 'its answer holds no cosignature by the key that the policy names' };
  }
  return { kind: 'cosigned', line: own.line, time: own.time };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > maxAnswerBytes) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `fetch failed` says nothing; its cause does. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
