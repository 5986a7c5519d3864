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

const pageSize = 1000;

/** Reads the log forward from where it was last left. */
export class EventReader {
  readonly seen: LoggedEvent[] = [];
  readonly #client: LockstepClient;
  #after = 0;

  constructor(client: LockstepClient) {
    this.#client = client;
  }

  async skipToPresent(): Promise<void> {
    while ((await this.#page()).length === pageSize);
    this.seen.length = 0;
  }

  /** What was recorded since, but for the reading itself. */
  async next(): Promise<LoggedEvent[]> {
    const told: LoggedEvent[] = [];
    for (let page = await this.#page(); ; page = await this.#page()) {
      told.push(...page.filter((event) => !event.action.startsWith('Lockstep.Access/events')));
      if (page.length < pageSize) break;
    }
    this.seen.push(...told);
    return told;
  }

  async #page(): Promise<LoggedEvent[]> {
    const { status, body } = await this.#client.send(
      'GET',
      `/admin/v1/events?after=${this.#after}&limit=${pageSize}`,
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
    return events;
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
