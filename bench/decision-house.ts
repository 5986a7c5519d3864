// The house of the batch part in a process of its own: the resource manager behind one TLS listener, a store of its own.
import { readFile } from 'node:fs/promises';
import { openMlHouse } from '../src/api/arm/testing/ml-house.ts';
import { by } from '../src/identity/testing/identity-room.ts';

export interface HouseReady {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
  /** Whose access is asked about. */
  readonly principal: string;
}

const house = await openMlHouse();
const person = await house.room.directory.createUser(by, {
  displayName: 'Ada',
  userPrincipalName: 'ada@bench',
});
await house.grant(person, 'owner', '/');
const { token } = await house.credentialOf(person).getToken(`${house.publicUrl}/.default`);
const ready: HouseReady = {
  url: house.publicUrl,
  ca: await readFile(house.caCertificatePath, 'utf8'),
  token,
  principal: person.id,
};
process.send?.(ready);
process.once('disconnect', () => {
  void house.close().then(() => process.exit(0));
});
