import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { LockstepClient } from '../../examples/four-day-training-job/lockstep-client.ts';
import { lockstep as cli } from '../../examples/four-day-training-job/processes.ts';
import { CredentialsFile } from '../../src/cli/connection/credentials.ts';
import { accessToken } from '../../src/cli/connection/tokens.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import type { House } from './house.ts';

export interface Person {
  /** In which the command line is signed in as this person. */
  readonly environment: Readonly<Record<string, string>>;
  readonly client: LockstepClient;
  token(resource: string): Promise<string>;
  leave(): Promise<void>;
}

/** Signs a person's own command line in, by a one-time link. */
export async function signIn(house: House, signInName: string): Promise<Person> {
  const { foundation, identity } = house.lockstep;
  const person = await foundation.directory.userBySignInName(signInName);
  if (person === null) throw new Error(`there is no ${signInName}`);
  const by = systemAttribution(foundation.tenantId, 'gateway');
  const code = await identity.oneTimeLinks.create(by, person.id, 60);
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-person-'));
  const environment = { ...house.stage.cli, LOCKSTEP_CONFIG_HOME: directory };
  const login = await cli(['login', '--link', `${house.url}/signin/link?code=${code}`], environment);
  if (login.exitCode !== 0) throw new Error(`${signInName} could not sign in: ${login.stderr}`);
  const agent = new Agent({ connect: { ca: house.ca } });
  const source = { file: new CredentialsFile(directory), server: house.url, agent, advice: '' };
  const token = (resource: string) => accessToken(source, resource);
  const client = new LockstepClient(house.url, house.ca, token);
  return {
    environment,
    client,
    token,
    async leave() {
      await client.close();
      await agent.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
