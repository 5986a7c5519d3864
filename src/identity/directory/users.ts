import { failure } from '../../lib/errors.ts';
import type { PrincipalId, Secret } from '../../lib/ids.ts';
import type { Attribution, PrincipalRecord } from '../../store/changes.ts';
import { hashPassword } from '../signin/passwords.ts';
import { withdrawLinks } from '../signin/one-time-links.ts';
import { endSessions } from '../signin/sessions.ts';
import { displayNameOf, mailOf, userPrincipalNameOf } from './names.ts';
import {
  insertPrincipal,
  newPrincipalId,
  principalColumns,
  requirePrincipal,
  toPrincipal,
  type DirectoryParts,
} from './principals.ts';

export interface NewUser {
  readonly id?: string;
  readonly displayName: string;
  readonly userPrincipalName: string;
  /** Without one the person cannot sign in with a password. */
  readonly password?: Secret;
  readonly mail?: string;
}

/** A person as the directory keeps them. */
export interface DirectoryUser extends PrincipalRecord {
  readonly userPrincipalName: string;
  readonly mail: string | null;
  readonly hasPassword: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

const shortestPassword = 8;
const longestPassword = 1024;

export async function createUser(
  parts: DirectoryParts,
  by: Attribution,
  user: NewUser,
): Promise<PrincipalRecord> {
  const signInName = userPrincipalNameOf(user.userPrincipalName);
  const displayName = displayNameOf(user.displayName);
  const mail = user.mail === undefined ? null : mailOf(user.mail);
  const password = user.password === undefined ? null : await hashed(user.password);
  const id = newPrincipalId(user.id);
  return parts.commit(by, async (tx, record) => {
    const taken = await tx
      .selectFrom('users')
      .select('principal_id')
      .where('user_principal_name', '=', signInName)
      .executeTakeFirst();
    if (taken !== undefined) throw failure('conflict', `The user principal name ${signInName} is in use.`);
    const principal = await insertPrincipal(tx, record, parts.clock.now(), {
      id,
      kind: 'user',
      displayName,
      enabled: true,
      sponsorId: null,
      signInName,
    });
    await tx
      .insertInto('users')
      .values({ principal_id: id, user_principal_name: signInName, password, mail })
      .execute();
    if (password !== null) record({ kind: 'credential.added', principal: id, credential: passwordOf(id) });
    return principal;
  });
}

/** Replaces the password. The one before, every session and every one-time link stop working with the commit. */
export async function setPassword(
  parts: DirectoryParts,
  by: Attribution,
  id: PrincipalId,
  password: Secret,
): Promise<void> {
  const verifier = await hashed(password);
  await parts.commit(by, async (tx, record) => {
    const user = await requirePrincipal(tx, id, ['user']);
    const before = await tx
      .updateTable('users')
      .set({ password: verifier })
      .where('principal_id', '=', user.id)
      .executeTakeFirst();
    if (before.numUpdatedRows !== 1n) throw failure('not_found', `There is no user with object id ${id}.`);
    record({ kind: 'credential.added', principal: user.id, credential: passwordOf(user.id) });
    const now = parts.clock.now();
    await endSessions(tx, record, { principalId: user.id }, 'password-changed', now);
    await withdrawLinks(tx, record, user.id, now);
  });
}

export async function userBySignInName(parts: DirectoryParts, name: string): Promise<DirectoryUser | null> {
  const row = await users(parts).where('users.user_principal_name', '=', name).executeTakeFirst();
  return row === undefined ? null : toUser(row);
}

export async function listUsers(parts: DirectoryParts): Promise<DirectoryUser[]> {
  const rows = await users(parts).orderBy('users.user_principal_name').execute();
  return rows.map(toUser);
}

/** The stored verifier, for sign-in alone; null when no password is set. */
export async function passwordVerifier(parts: DirectoryParts, id: PrincipalId): Promise<string | null> {
  const row = await parts.db
    .selectFrom('users')
    .select('password')
    .where('principal_id', '=', id)
    .executeTakeFirst();
  return row?.password ?? null;
}

function users(parts: DirectoryParts) {
  return parts.db
    .selectFrom('users')
    .innerJoin('principals', 'principals.id', 'users.principal_id')
    .select([...principalColumns, 'users.user_principal_name', 'users.mail'])
    .select((expression) => expression('users.password', 'is not', null).as('has_password'));
}

type UserRow = Awaited<ReturnType<ReturnType<typeof users>['execute']>>[number];

function toUser(row: UserRow): DirectoryUser {
  return {
    ...toPrincipal(row),
    userPrincipalName: row.user_principal_name,
    mail: row.mail,
    hasPassword: Boolean(row.has_password),
    createdAt: row.created_at,
  };
}

function passwordOf(id: PrincipalId) {
  return { id: `${id}/password`, kind: 'password', hint: 'password' } as const;
}

async function hashed(password: Secret): Promise<string> {
  if (password.length < shortestPassword || password.length > longestPassword)
    throw failure('invalid_request', `A password has ${shortestPassword} to ${longestPassword} characters.`, {
      field: 'password',
    });
  return hashPassword(password);
}
