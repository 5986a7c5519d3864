/** The places where storage is touched, in the order of an event's way through them. */
export const storageSteps = [
  'commit.commit',
  'record.commit',
  'record.sync',
  'lease.commit',
  'sequence.commit',
  'tile.write',
  'tile.rename',
  'tile.sync',
  'checkpoint.write',
  'checkpoint.rename',
  'checkpoint.sync',
  'published.commit',
  'partial.remove',
] as const;

/** Taken when the log is taken up: at a start, after a failure, by a process that takes over. */
export const openingSteps = ['scratch.prepare'] as const;

/** Taken when it is given up. */
export const closingSteps = ['lease.release'] as const;

/** Taken only in a log with witnesses: what is cosigned takes the place of what was. */
export const cosignedSteps = [
  'cosigned.write',
  'cosigned.commit',
  'cosigned.rename',
  'cosigned.sync',
] as const;

/** Of a witness of our own, in its own database. */
export const witnessSteps = ['witness.commit'] as const;

/** Taken only when rows are removed. */
export const pruningSteps = ['prune.commit'] as const;

/** Taken only when the log exchanges its key: what is recorded of it, and the files that list the keys. */
export const keySteps = [
  'key.announce',
  'key-file.write',
  'key-file.rename',
  'key-file.sync',
  'key.begin',
  'key.end',
  'key.erase',
] as const;

/** Taken only when the beginning of the archive is pruned. */
export const retentionSteps = [
  'retention.write',
  'retention.rename',
  'retention.sync',
  'retention.remove',
] as const;

/** Taken only when personal values are erased, after the commit. */
export const erasingSteps = ['erase.scrub'] as const;

/** Every one of them: the table in the room's README has a row for each, with the test that has it fail. */
export const everyStep = [
  ...storageSteps,
  ...openingSteps,
  ...closingSteps,
  ...cosignedSteps,
  ...witnessSteps,
  ...pruningSteps,
  ...keySteps,
  ...erasingSteps,
  ...retentionSteps,
] as const;

export type StorageStep = (typeof everyStep)[number];

/** Called around every storage step. Tests throw from it, or end the process; nothing else passes one in. */
export type Fault = (step: StorageStep, moment: 'before' | 'after') => void;

export const noFault: Fault = () => undefined;

/** The passing of a step at which it all ends: as it can be told to another process or thread. */
export interface Ending {
  readonly step: string;
  readonly moment: string;
  /** How many passings are let pass. */
  readonly skip: number;
  /** Default: the process, without warning. */
  readonly ends?: 'process' | 'thread';
}

/** For tests. */
export function endingAt({ step, moment, skip, ends }: Ending): Fault {
  let left = skip;
  return (at, when) => {
    if (at !== step || when !== moment || left-- > 0) return;
    if (ends === 'thread') process.exit(1);
    process.kill(process.pid, 'SIGKILL');
  };
}
