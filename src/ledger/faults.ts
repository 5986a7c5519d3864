/** The places where storage is touched, in the order of an event's way through them. */
export const storageSteps = [
  'commit.commit',
  'record.commit',
  'sequence.commit',
  'tile.write',
  'tile.rename',
  'tile.sync',
  'checkpoint.write',
  'checkpoint.rename',
  'checkpoint.sync',
  'published.commit',
] as const;

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

export type StorageStep =
  (typeof storageSteps)[number] | (typeof pruningSteps)[number] | (typeof keySteps)[number];

/** Called around every storage step. Tests throw from it, or end the process; nothing else passes one in. */
export type Fault = (step: StorageStep, moment: 'before' | 'after') => void;

export const noFault: Fault = () => undefined;
