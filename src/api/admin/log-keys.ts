import { z } from 'zod';
import type { Route } from '../../gateway/routes.ts';
import type { KeyExchange } from '../../ledger/keys/key-exchange.ts';
import type { LogKey, LogKeys } from '../../ledger/keys/log-keys.ts';
import { ownAction, ownRule } from '../own-actions.ts';
import { isoTime, noBody, ok, smallJson } from './replies.ts';

export interface LogKeyParts {
  readonly logKeys: Pick<LogKeys, 'all'>;
  readonly keyExchange: Pick<KeyExchange, 'begin' | 'lackingWitnesses'>;
}

const exchanging = z.union([
  z.strictObject({ overlapDays: z.number().min(0).max(365).optional() }),
  /** The old key may be in other hands: it signs nothing more. */
  z.strictObject({ compromised: z.literal(true) }),
]);

const dayMilliseconds = 86_400_000;

/** The keys that sign the log, and their exchange. */
export function logKeyRoutes({ logKeys, keyExchange }: LogKeyParts): Route[] {
  const keys = () =>
    ok({
      keys: logKeys.all.toReversed().map(told),
      // The overlap goes on until they know the new key.
      lackingWitnesses: keyExchange.lackingWitnesses,
    });
  return [
    {
      method: 'GET',
      path: '/admin/v1/ledger/keys',
      operation: 'Lockstep.Access/status/read',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('status'),
      serve: () => Promise.resolve(keys()),
    },
    {
      method: 'POST',
      path: '/admin/v1/ledger/keys/exchange',
      effect: 'change',
      body: smallJson,
      guard: () => ownAction('ledger/exchangeKey/action'),
      async serve(exchange) {
        const asked = exchange.json(exchanging);
        const { attribution } = exchange;
        if ('compromised' in asked) await keyExchange.begin(attribution, { kind: 'compromised' });
        else {
          const { overlapDays } = asked;
          await keyExchange.begin(attribution, {
            kind: 'planned',
            ...(overlapDays !== undefined && {
              overlapMilliseconds: Math.round(overlapDays * dayMilliseconds),
            }),
          });
        }
        return keys();
      },
    },
  ];
}

/** The newest first. */
function told({ verifierKey, state, announcedAt, beganAt, endsAt, endedAt }: LogKey) {
  const time = (milliseconds: number | null) => (milliseconds === null ? null : isoTime(milliseconds));
  return {
    verifierKey,
    state,
    announcedAt: isoTime(announcedAt),
    beganAt: time(beganAt),
    endsAt: time(endsAt),
    endedAt: time(endedAt),
  };
}
