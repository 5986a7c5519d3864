import { readFileSync } from 'node:fs';
import { Agent } from 'undici';
import { CredentialsFile } from '../../src/cli/connection/credentials.ts';
import { accessToken } from '../../src/cli/connection/tokens.ts';
import type { Lockstep } from '../../src/main.ts';
import type { Narrator } from './narrator.ts';
import { lockstep as cli } from './processes.ts';
import { defaultScale, type Scale, type Stage } from './story.ts';

/** Signs the CLI in as the administrator by a one-time link, and sets the stage for the story. */
export async function openStage(
  lockstep: Lockstep,
  home: string,
  temporary: string,
  narrator: Pick<Narrator, 'title' | 'line' | 'event'>,
  scale: Scale = defaultScale,
): Promise<Stage> {
  const { foundation, url, certificateAuthorityFile } = lockstep;
  if (certificateAuthorityFile === null)
    throw new Error('the example needs the local authority; remove `tls` from the configuration');
  const environment = {
    LOCKSTEP_CONFIG_HOME: temporary,
    LOCKSTEP_URL: url,
    LOCKSTEP_HOME: home,
    NO_COLOR: '1',
  };
  const signedIn = await cli(['login', '--link', await lockstep.adminLink()], environment);
  if (signedIn.exitCode !== 0) throw new Error(`the CLI could not sign in: ${signedIn.stderr}`);
  const agent = new Agent({ connect: { ca: readFileSync(certificateAuthorityFile, 'utf8') } });
  const file = new CredentialsFile(temporary);
  const { workspace, storageAccount, tenantId, ledger } = foundation;
  return {
    url,
    home,
    caFile: certificateAuthorityFile,
    place: {
      tenantId,
      subscriptionId: workspace.subscriptionId,
      resourceGroup: workspace.resourceGroup,
      workspace: workspace.name,
      storageAccount,
    },
    ledgerVerifierKey: ledger.verifierKey,
    token: (resource) => accessToken({ file, server: url, agent, advice: '' }, resource),
    cli: environment,
    scale,
    title: narrator.title,
    line: narrator.line,
    event: narrator.event,
  };
}
