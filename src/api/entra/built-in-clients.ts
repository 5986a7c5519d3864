/** Application id of the command line, known to every installation. */
export const lockstepCliAppId = '6c6f636b-7374-4570-8c69-000000000001';

/** An application that asks people to sign in. */
export interface InteractiveClient {
  readonly appId: string;
  readonly displayName: string;
  readonly redirectUris: readonly string[];
  readonly publicClient: boolean;
}

export const lockstepCli: InteractiveClient = {
  appId: lockstepCliAppId,
  displayName: 'Lockstep command line',
  redirectUris: ['localhost', '127.0.0.1', '[::1]'].flatMap((host) => [
    `http://${host}`,
    `http://${host}/`,
    `http://${host}/callback`,
  ]),
  publicClient: true,
};
