import type { LockstepClient } from './lockstep-client.ts';

/** One event of the log, reduced to what the story tells: who, what, where, decided how, under which policy. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly id: string;
  readonly kind: string;
  /** The delegation chain, first the person. */
  readonly chain: readonly { readonly kind: string; readonly name: string; readonly id: string }[];
  readonly activity: string;
  readonly action: string;
  readonly scope: string;
  readonly allowed: boolean;
  readonly reason: string;
  readonly policyId: string;
  readonly decisionId: string;
  readonly jobName: string;
  readonly changeKind: string;
}

interface Line {
  readonly sequence: number;
  readonly event: {
    readonly status_id: number;
    readonly metadata: { readonly uid: string; readonly event_code: string };
    readonly unmapped: { readonly lockstep: Readonly<Record<string, unknown>> };
  };
}

/** Reads the log forward from where it was last left. */
export class EventReader {
  readonly seen: LoggedEvent[] = [];
  readonly #client: LockstepClient;
  #after = 0;

  constructor(client: LockstepClient) {
    this.#client = client;
  }

  async skipToPresent(): Promise<void> {
    while ((await this.next()).length > 0);
    this.seen.length = 0;
  }

  async next(): Promise<LoggedEvent[]> {
    const { status, body } = await this.#client.send(
      'GET',
      `/admin/v1/events?after=${this.#after}&limit=1000`,
    );
    if (status !== 200) throw new Error(`the events cannot be read: ${status} ${JSON.stringify(body)}`);
    const lines = (
      typeof body === 'string'
        ? body
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as Line)
        : [body as Line]
    ).filter((line) => typeof line.sequence === 'number');
    const events = lines.map(toEvent);
    this.#after = events.at(-1)?.sequence ?? this.#after;
    // Reading the log is in the log too; the story is not about its own reader.
    const told = events.filter((event) => !event.action.startsWith('Lockstep.Access/events'));
    this.seen.push(...told);
    return told;
  }
}

function toEvent({ sequence, event }: Line): LoggedEvent {
  const facts = event.unmapped.lockstep;
  const chain = (facts['chain'] ?? []) as LoggedEvent['chain'];
  const change = (facts['change'] ?? {}) as { readonly kind?: string };
  return {
    sequence,
    id: event.metadata.uid,
    kind: text(facts['kind']),
    chain,
    activity: text(facts['activity']),
    action: text(facts['action']),
    scope: text(facts['scope']),
    allowed: facts['allowed'] === true || (facts['allowed'] === undefined && event.status_id === 1),
    reason: text(facts['reason']),
    policyId: text(facts['policyId']),
    decisionId: text(facts['decisionId']),
    jobName: chain.find((link) => link.kind === 'job')?.name ?? '',
    changeKind: change.kind ?? '',
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
