import { openNote, type NoteSignature } from '../note.ts';
import { parseCheckpoint, type Checkpoint } from '../tlog/checkpoint.ts';
import { quorumMet, trustOnly, type Policy } from './policy.ts';
import { refusal, type Refusal } from './refusal.ts';

/** Whom to believe: one verifier key of the log, several of which one is enough, or a policy with witnesses. */
export type Trust = string | readonly string[] | Policy;

/** A witness of the policy whose cosignature verifies. */
export interface Cosignature {
  /** As the policy calls it. */
  readonly witness: string;
  /** Unix seconds. */
  readonly time: number;
  /** The signature line, without its newline. */
  readonly line: string;
}

export type OpenedCheckpoint =
  | {
      readonly ok: true;
      readonly checkpoint: Checkpoint;
      /** The note text: what is signed. */
      readonly text: string;
      /** All that verify, of the log and of witnesses. */
      readonly signatures: readonly NoteSignature[];
      readonly cosignatures: readonly Cosignature[];
    }
  | Refusal;

/**
 * A checkpoint that the log itself has signed (the name of a trusted key must be its origin) and that as many
 * witnesses have cosigned as the policy asks for. c2sp.org/tlog-checkpoint, c2sp.org/tlog-policy.
 */
export function openCheckpoint(note: string, trust: Trust): OpenedCheckpoint {
  const policy = policyOf(trust);
  const opened = openSigned(note, policy);
  if (!opened.ok) return opened;
  const cosigned = new Set(opened.cosignatures.map(({ witness }) => witness));
  if (!quorumMet(policy, cosigned)) {
    const lacking = policy.witnesses.filter(({ name }) => !cosigned.has(name)).map(({ name }) => name);
    return refusal(
      `the checkpoint of ${opened.checkpoint.size} entries lacks the quorum ${policy.quorum}: ` +
        `not cosigned by ${lacking.join(', ')}`,
    );
  }
  return opened;
}

/** As openCheckpoint, whatever the quorum: to see who has cosigned so far. */
export function openSigned(note: string, trust: Trust): OpenedCheckpoint {
  const policy = policyOf(trust);
  if (policy.logs.length === 0) return refusal('no key of the log is trusted');
  const keys = [...policy.logs, ...policy.witnesses].map(({ verifierKey }) => verifierKey);
  const opened = openNote(note, keys);
  if (!opened.ok) {
    const { reason, otherKeys } = opened;
    return otherKeys.length === 0 ? refusal(`the checkpoint is refused: ${reason}`) : keyUnknown(otherKeys);
  }
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint === null) return refusal('the signed note is not a checkpoint');
  const byLog = opened.signatures.filter(({ time }) => time === null);
  if (byLog.length === 0) {
    return opened.otherKeys.length === 0
      ? refusal('the checkpoint is refused: no trusted key of the log has signed it')
      : keyUnknown(opened.otherKeys);
  }
  if (!byLog.some(({ name }) => name === checkpoint.origin)) {
    return refusal(`the checkpoint is of ${checkpoint.origin}, which is not the name of the key`);
  }
  const { text, signatures } = opened;
  return { ok: true, checkpoint, text, signatures, cosignatures: cosignaturesOf(policy, signatures) };
}

/** Of the trusted key's name, but not signed by it: an exchange of keys that the reader has missed, or a forgery. */
function keyUnknown(keyIds: readonly string[]): Refusal {
  return refusal(
    `the checkpoint is refused: it is signed by another key (id ${keyIds.join(', ')}) of the log's name, and by none that is trusted. If the log has ` +
      'exchanged its key, its file `key-history` leads from the old one to the new: `lockstep ledger keys SOURCE --key OLD`, ' +
      'or `ledger-verify keys SOURCE --key OLD`. If that refuses too, it is not the log',
  );
}

export function policyOf(trust: Trust): Policy {
  if (typeof trust === 'string') return trustOnly([trust]);
  return isPolicy(trust) ? trust : trustOnly(trust);
}

function isPolicy(trust: readonly string[] | Policy): trust is Policy {
  return 'quorum' in trust;
}

function cosignaturesOf({ witnesses }: Policy, signatures: readonly NoteSignature[]): Cosignature[] {
  return witnesses.flatMap(({ name, verifierKey }) => {
    const signature = signatures.find((candidate) => candidate.verifierKey === verifierKey);
    if (signature === undefined || signature.time === null) return [];
    return [{ witness: name, time: signature.time, line: signature.line }];
  });
}
