import { z } from 'zod';
import { moment } from '../output/amounts.ts';
import { changedObject } from './changed-object.ts';

/** A name that has been erased, or not been disclosed, is told by the id. */
const link = z
  .object({ id: z.string().default(''), name: z.string().optional() })
  .transform(({ id, name = id }) => ({ name }));

/** A person who cut a stream and their decision, or the change after which it was cut and its event. */
const cutBy = z.looseObject({
  principalId: z.string().optional(),
  decisionId: z.string().optional(),
  change: z.string().optional(),
  eventId: z.string().optional(),
});
type CutBy = z.infer<typeof cutBy>;

/** An OCSF event as far as it is shown. */
export const eventSchema = z.looseObject({
  time: z.number(),
  activity_name: z.string().optional(),
  class_name: z.string().optional(),
  http_response: z.looseObject({ code: z.number() }).optional(),
  metadata: z.looseObject({ uid: z.string(), event_code: z.string().optional() }),
  unmapped: z
    .looseObject({
      lockstep: z.looseObject({
        chain: z.array(link).optional(),
        decisionId: z.string().nullish(),
        policyId: z.string().nullish(),
        operation: z.string().optional(),
        scope: z.string().optional(),
        allowed: z.boolean().optional(),
        ending: z.string().optional(),
        cutBy: cutBy.optional(),
        outcomes: z.array(z.looseObject({ status: z.number() })).optional(),
        activity: z.string().optional(),
        failureCode: z.string().nullish(),
      }),
    })
    .optional(),
});

export type ShownEvent = z.infer<typeof eventSchema>;

/** The facts of one event, in full; nothing for what is no event. */
export function shownEvent(value: unknown): (readonly [string, string | null])[] {
  const parsed = eventSchema.safeParse(value);
  if (!parsed.success) return [];
  const event = parsed.data;
  const own = event.unmapped?.lockstep;
  return [
    ['event', event.metadata.uid],
    ['when', moment(event.time)],
    ['what', whatHappened(event)],
    ['who', own?.chain?.map((link) => link.name).join(' → ') ?? null],
    ['scope', own?.scope ?? changedObject(event)?.scope ?? null],
    ['policy', own?.policyId ?? null],
    ['decision', own?.decisionId ?? null],
    ['cut by', cutter(own?.cutBy)],
  ];
}

/** In a few words. */
export function whatHappened(event: ShownEvent): string {
  const { metadata, unmapped, class_name, activity_name } = event;
  const own = unmapped?.lockstep;
  const code = metadata.event_code ?? `${class_name ?? ''} ${activity_name ?? ''}`.trim();
  if (code === 'request.decided')
    return `${own?.allowed === true ? 'allowed' : 'denied'}  ${own?.operation ?? ''}`;
  if (code === 'request.ended')
    return `${endingWords(own?.ending, own?.cutBy)} ${statuses([event.http_response?.code ?? 0])}  ${own?.operation ?? ''}`;
  if (code === 'requests.ended') {
    const outcomes = own?.outcomes ?? [];
    return `${outcomes.length} reads ended ${statuses(outcomes.map(({ status }) => status))}  ${own?.operation ?? ''}`;
  }
  if (code === 'lifecycle') return lifecycleWords[own?.activity ?? ''] ?? `${code} ${own?.activity ?? ''}`;
  if (code === 'authentication')
    return `${own?.activity ?? code}${own?.failureCode ? ` refused (${own.failureCode})` : ''}`;
  const about = changedObject(event)?.what ?? '';
  return about === '' ? code : `${code}  ${about}`;
}

/** How an exchange ended, as one would say it, and by whose hand or after which change. */
function endingWords(ending = 'completed', { principalId, change }: CutBy = {}): string {
  if (ending === 'cut-by-operator' && principalId !== undefined) return `cut (by ${principalId})`;
  const words = endings[ending] ?? `cut (${ending.replaceAll('-', ' ')})`;
  return change === undefined ? words : words.replace(/\)$/, `: ${change})`);
}

/** With the id under which to search for more. */
function cutter({ principalId, change, decisionId, eventId }: CutBy = {}): string | null {
  const [by, under] = principalId === undefined ? [change, eventId] : [principalId, decisionId];
  return by === undefined ? null : [by, under].filter((word) => word !== undefined).join(', ');
}

const endings: Readonly<Record<string, string>> = {
  completed: 'ended',
  'client-gone': 'ended (the client left)',
  failed: 'broke off',
  'cut-by-operator': 'cut (by an operator)',
  'policy-changed': 'cut (lost the right)',
  'condition-ended': 'cut (a condition no longer holds)',
  'identity-ended': 'cut (the sign-in has ended)',
  'credential-expired': 'cut (the token has expired)',
  'policy-unavailable': 'cut (no policy could be asked)',
  draining: 'cut (the server stopped)',
};

const lifecycleWords: Readonly<Record<string, string>> = {
  start: 'the server started',
  stop: 'the server stopped',
  prune: 'old events were removed from the database',
  'prune-archive': 'the log forgets its beginning',
  'clock-set': 'the clock was set',
};

/** Of answers, each with how many had it where they differ, the most first; nothing where none began. */
function statuses(codes: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const code of codes) if (code !== 0) counts.set(code, (counts.get(code) ?? 0) + 1);
  if (counts.size === 1) return [...counts.keys()].join();
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([code, times]) => `${times} × ${code}`)
    .join(', ');
}
