import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Secret } from '../../lib/ids.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { by, openIdentityRoom, type IdentityRoom } from '../testing/identity-room.ts';
import { OneTimeLinks } from './one-time-links.ts';

let room: IdentityRoom;
let links: OneTimeLinks;
let ada: PrincipalRecord;

beforeEach(async () => {
  room = await openIdentityRoom();
  links = new OneTimeLinks({ db: room.store.db, commit: room.feed.commit, clock: room.clock });
  ada = await room.person('Ada');
});
afterEach(() => room.close());

test('a link works once, and not after its time', async () => {
  const code = await links.create(by, ada.id, 900);
  expect(await links.peek(code)).toBe(ada.id);
  expect(await links.redeem(by, code)).toBe(ada.id);
  expect(await links.redeem(by, code)).toBeNull();
  const late = await links.create(by, ada.id, 900);
  room.manualClock.advance(900_000);
  expect(await links.redeem(by, late)).toBeNull();
});

test.each<[string, () => Promise<unknown>]>([
  ['gets another password', () => room.directory.setPassword(by, ada.id, 'another long password' as Secret)],
  ['is disabled, and let back in', () => shutOutAndIn()],
])('the links of somebody who %s are withdrawn, and nobody else’s', async (_what, event) => {
  const bob = await room.person('Bob');
  const [hers, his] = [await links.create(by, ada.id, 900), await links.create(by, bob.id, 900)];
  await event();
  expect(await links.redeem(by, hers)).toBeNull();
  expect(await links.redeem(by, his)).toBe(bob.id);
  const withdrawn = room.feed.changes.filter(
    (change) => change.kind === 'credential.removed' && change.principal === ada.id,
  );
  expect(withdrawn).toHaveLength(1);
});

async function shutOutAndIn(): Promise<void> {
  await room.directory.setEnabled(by, ada.id, false);
  await room.directory.setEnabled(by, ada.id, true);
}
