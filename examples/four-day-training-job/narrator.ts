import type { LoggedEvent } from './event-reader.ts';

/** Tells the story on the terminal. */
export class Narrator {
  readonly #write: (text: string) => void;
  readonly #colour: boolean;
  #last = '';
  #repeats = 0;

  constructor(write: (text: string) => void, colour: boolean) {
    this.#write = write;
    this.#colour = colour;
  }

  readonly title = (text: string): void => {
    this.#flush();
    this.#write(`\n${this.#style(1, text)}\n`);
  };

  readonly line = (text: string): void => {
    this.#flush();
    this.#write(`  ${text}\n`);
  };

  /** Decisions in full; changes in a line; the same thing again only as a count. */
  readonly event = (event: LoggedEvent): void => {
    const told =
      event.kind === 'change'
        ? this.#change(event)
        : event.kind === 'request.decided'
          ? this.#decision(event)
          : this.#authentication(event);
    if (told === null) return;
    const [what, evidence] = told;
    if (what === this.#last) {
      this.#repeats += 1;
      return;
    }
    this.#flush();
    this.#last = what;
    this.#write(`  ${what}\n      ${this.#style(2, evidence)}\n`);
  };

  #decision(event: LoggedEvent): [string, string] | null {
    if (
      event.chain.length === 0 ||
      event.chain.every((link) => link.kind === 'anonymous' || link.name === 'Administrator')
    )
      return null;
    const outcome = event.allowed ? this.#style(32, 'allow') : this.#style(31, `deny (${event.reason})`);
    return [
      `${outcome}  ${who(event)}  ${event.action}\n      on ${shortScope(event.scope)}`,
      `${event.policyId}  ${event.decisionId}  #${event.sequence}`,
    ];
  }

  #authentication(event: LoggedEvent): [string, string] | null {
    if (event.kind !== 'authentication' || event.activity === 'sign-in') return null;
    if (event.chain.some((link) => link.name === 'Administrator')) return null;
    const outcome = event.allowed ? this.#style(32, 'token') : this.#style(31, 'no token');
    return [`${outcome}  ${who(event)}`, `${event.activity}  ${event.id}  #${event.sequence}`];
  }

  #change(event: LoggedEvent): [string, string] | null {
    if (!/^(lease|job|group|role-assignment)\./.test(event.changeKind)) return null;
    return [
      `${this.#style(33, 'change')} ${event.changeKind}  by ${who(event)}`,
      `${event.id}  #${event.sequence}`,
    ];
  }

  #flush(): void {
    if (this.#repeats > 0) this.#write(`      ${this.#style(2, `… and ${this.#repeats} more like it`)}\n`);
    this.#repeats = 0;
    this.#last = '';
  }

  #style(code: number, text: string): string {
    return this.#colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

function who(event: LoggedEvent): string {
  return event.chain.map((link) => link.name).join(' › ');
}

/** The end of a scope tells it apart; the subscription in front of it does not. */
function shortScope(scope: string): string {
  const cut = scope.indexOf('/providers/');
  return cut > 0 ? `…${scope.slice(cut + '/providers'.length)}` : scope;
}
