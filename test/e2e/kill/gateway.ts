// node gateway.ts HOME PORT [link]: makes the state if there is none and serves. Prints one JSON line when it is ready.
// Leaves with its standard input; SIGTERM drains it.
import { flushCompileCache } from 'node:module';
import { loadConfig } from '../../../src/config/load.ts';
import { initialise } from '../../../src/init.ts';
import { createLog } from '../../../src/lib/log.ts';
import { heldUpMilliseconds } from '../../../src/lib/testing/processor-time.ts';
import { startLockstep } from '../../../src/main.ts';

const [home = '', port = '', link] = process.argv.slice(2);
process.stdin.resume().once('end', () => process.exit(1));

const loaded = loadConfig({ home, environment: {} });
const config = {
  ...loaded,
  listen: { host: '127.0.0.1', port: Number(port) },
  local: { ...loaded.local, maxRunning: 6, cancelGraceSeconds: 1 },
  limits: { ...loaded.limits, drainSeconds: 1 },
};
const log = createLog('warn');
await initialise(config, log);
const lockstep = await startLockstep(config, log);
const { foundation, url, certificateAuthorityFile } = lockstep;
process.stdout.write(
  `${JSON.stringify({
    url,
    certificateAuthorityFile,
    verifierKey: foundation.ledger.verifierKey,
    tenantId: foundation.tenantId,
    workspace: foundation.workspace,
    storageAccount: foundation.storageAccount,
    heldUpMilliseconds: heldUpMilliseconds(),
    adminLink: link === undefined ? null : await lockstep.adminLink(),
  })}\n`,
);
// Otherwise it is written at the exit, which a kill leaves out.
flushCompileCache();
process.once('SIGTERM', () => {
  void lockstep.drain().then(() => process.exit(0));
});
