/** Every way a command can end. `docs/reference/cli.md` shows this table. */
export const exitCodes = {
  ok: { code: 0, meaning: 'Done; for `check`, allowed.' },
  failure: { code: 1, meaning: 'The command failed; standard error says why.' },
  usage: { code: 2, meaning: 'The command line or a file given to it is wrong.' },
  denied: { code: 3, meaning: 'Policy does not allow it; for `check`, it would not.' },
  'not-signed-in': { code: 4, meaning: 'No valid sign-in: run `lockstep login`.' },
  'not-found': { code: 5, meaning: 'What was named does not exist, or you may not see it.' },
  unreachable: { code: 6, meaning: 'The server cannot be reached, or its certificate is not trusted.' },
  'not-verified': {
    code: 7,
    meaning: 'The log or the receipt does not verify, or a decision in it comes out otherwise.',
  },
  'job-failed': { code: 8, meaning: 'The streamed job ended as failed, canceled or lost.' },
} as const;

export type Ending = keyof typeof exitCodes;
