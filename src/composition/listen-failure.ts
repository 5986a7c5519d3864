import type { Config } from '../config/load.ts';

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EACCES: 'this user may not',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** Why the listener could not be opened, with the setting that changes it; any other error as it is. */
export function listenFailure(error: unknown, { listen, home, file }: Config): unknown {
  const reason = reasons[(error as NodeJS.ErrnoException).code ?? ''];
  if (reason === undefined) return error;
  const where = file ?? `${home}/config.json`;
  return new Error(
    `Lockstep cannot listen on ${listen.host}:${listen.port}: ${reason}.\n` +
      `Choose another address in ${where}, such as { "listen": { "port": ${listen.port + 1} } }.`,
    { cause: error },
  );
}
