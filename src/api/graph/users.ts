import { z } from 'zod';
import type { DirectoryUser } from '../../identity/directory/users.ts';
import { failure } from '../../lib/errors.ts';
import { isGuid, type Secret } from '../../lib/ids.ts';
import type { Route } from '../../gateway/routes.ts';
import { requireAlso } from '../also.ts';
import { ownAccess, ownAction, ownRule } from '../own-actions.ts';
import { requirePowerOver, requirePowerToDelete } from '../power-over.ts';
import { created, noContent, one, page } from './odata.ts';
import { directoryObject, userResource } from './objects.ts';
import { callerOf, jsonBody, noBody, notThere, type GraphParts } from './parts.ts';
import {
  changesOf,
  requireToSetAttributes,
  securityAttributesPatch,
  withSecurityAttributes,
} from './security-attributes.ts';

const passwordProfile = z.object({
  password: z.string(),
  forceChangePasswordNextSignIn: z.literal(false).optional(),
});

/** `mailNickname` is asked for by Graph and sent by its clients; there is no mail here. */
const newUser = z.strictObject({
  mailNickname: z.string().optional(),
  displayName: z.string(),
  userPrincipalName: z.string(),
  accountEnabled: z.literal(true).optional(),
  mail: z.string().nullish(),
  passwordProfile: passwordProfile.optional(),
});

const userPatch = z.strictObject({
  accountEnabled: z.boolean().optional(),
  customSecurityAttributes: securityAttributesPatch.optional(),
  passwordProfile: passwordProfile.optional(),
});

/** learn.microsoft.com/graph/api/resources/users */
export function userRoutes(parts: GraphParts): Route[] {
  const { directory, tenantId } = parts;
  return [
    {
      method: 'GET',
      path: '/v1.0/me',
      operation: 'Lockstep.Access/users/readOwn',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('self'),
      async serve(exchange) {
        const { subject } = callerOf(exchange);
        if (subject.kind === 'user') return one(exchange, userResource(await userOf(parts, subject.id)));
        const principal = await directory.byId(subject.id);
        if (principal === null) throw notThere('principal', subject.id);
        return one(exchange, directoryObject(principal, tenantId));
      },
    },
    {
      method: 'GET',
      path: '/v1.0/users',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('users/read'),
      serve: async (exchange) => page(exchange, (await directory.listUsers()).map(userResource)),
    },
    {
      method: 'POST',
      path: '/v1.0/users',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('users/write'),
      async serve(exchange) {
        const wanted = exchange.json(newUser);
        if (wanted.passwordProfile) await requireAlso(exchange, ownAccess('users/password/action'));
        const user = await directory.createUser(exchange.attribution, {
          displayName: wanted.displayName,
          userPrincipalName: wanted.userPrincipalName,
          ...(wanted.mail ? { mail: wanted.mail } : {}),
          ...(wanted.passwordProfile ? { password: wanted.passwordProfile.password as Secret } : {}),
        });
        return created(userResource(await userOf(parts, user.id)));
      },
    },
    {
      method: 'GET',
      path: '/v1.0/users/:key',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('users/read'),
      async serve(exchange, { key = '' }) {
        const user = await userOf(parts, key);
        const held = (await directory.byId(user.id)) ?? {};
        return one(exchange, await withSecurityAttributes(exchange, userResource(user), held));
      },
    },
    {
      method: 'PATCH',
      path: '/v1.0/users/:key',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('users/write'),
      async serve(exchange, { key = '' }) {
        const wanted = exchange.json(userPatch);
        const user = await userOf(parts, key);
        if (wanted.accountEnabled === false && user.id === callerOf(exchange).subject.id) {
          throw failure('conflict', 'You cannot disable yourself; another administrator can.');
        }
        const attributes = changesOf(wanted.customSecurityAttributes ?? {});
        if (wanted.customSecurityAttributes) await requireToSetAttributes(exchange);
        // Who is let back in gets back what they hold; shutting somebody out must not wait for a higher right.
        if (wanted.passwordProfile ?? wanted.accountEnabled) {
          await requirePowerOver(exchange, parts.snapshot, user.id);
        }
        if (wanted.passwordProfile) {
          await requireAlso(exchange, ownAccess('users/password/action'));
          await directory.setPassword(
            exchange.attribution,
            user.id,
            wanted.passwordProfile.password as Secret,
          );
        }
        if (wanted.accountEnabled !== undefined) {
          await directory.setEnabled(exchange.attribution, user.id, wanted.accountEnabled);
        }
        if (wanted.customSecurityAttributes) {
          await directory.setSecurityAttributes(exchange.attribution, user.id, attributes);
        }
        return noContent;
      },
    },
    {
      method: 'DELETE',
      path: '/v1.0/users/:key',
      effect: 'change',
      body: noBody,
      guard: () => ownAction('users/delete'),
      async serve(exchange, { key = '' }) {
        const user = await userOf(parts, key);
        if (user.id === callerOf(exchange).subject.id) {
          throw failure('conflict', 'You cannot delete yourself; another administrator can.');
        }
        await requirePowerToDelete(exchange, parts.snapshot, user.id);
        await directory.deletePrincipal(exchange.attribution, user.id);
        return noContent;
      },
    },
    {
      method: 'POST',
      path: '/v1.0/directoryObjects/getByIds',
      effect: 'read',
      body: jsonBody(parts),
      guard: () => ownAction('users/read'),
      async serve(exchange) {
        const { ids } = exchange.json(z.object({ ids: z.array(z.guid()).min(1).max(1000) }));
        const found = (await Promise.all(ids.map((id) => directory.byId(id)))).filter(
          (principal) => principal !== null,
        );
        if (found.some(({ kind }) => kind === 'group')) await requireAlso(exchange, ownAccess('groups/read'));
        if (found.some(({ kind }) => kind !== 'group' && kind !== 'user')) {
          await requireAlso(exchange, ownAccess('applications/read'));
        }
        return page(
          exchange,
          found.map((principal) => directoryObject(principal, tenantId)),
        );
      },
    },
  ];
}

/** By object id or user principal name. Throws `not_found`. */
async function userOf({ directory }: GraphParts, key: string): Promise<DirectoryUser> {
  const principal = isGuid(key) ? await directory.byId(key) : null;
  const name = isGuid(key) ? (principal?.kind === 'user' ? principal.signInName : null) : key;
  const user = name === null ? null : await directory.userBySignInName(name);
  if (user === null) throw notThere('user', key);
  return user;
}
