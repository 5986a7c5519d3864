import type { LoggedEvent } from './event-reader.ts';

/** Tells the story on the terminal. Within a step, what happens again and again is told once and counted. */
export class Narrator {
  readonly #write: (text: string) => void;
  readonly #colour: boolean;
  readonly #told = new Map<string, number>();
  #who = '';

  constructor(write: (text: string) => void, colour: boolean) {
    this.#write = write;
    this.#colour = colour;
  }

  readonly title = (text: string): void => {
    this.#summarise();
    this.#write(`\n${this.#style(1, text)}\n`);
  };

  readonly line = (text: string): void => {
    this.#write(`  ${text}\n`);
  };

  readonly event = (event: LoggedEvent): void => {
    const told = tell(event);
    if (told === null) return;
    const { outcome, what, where } = told;
    const key = `${who(event)} ${outcome} ${what} ${where}`;
    const times = this.#told.get(key);
    if (times !== undefined) {
      this.#told.set(key, times + 1);
      return;
    }
    this.#told.set(key, 1);
    if (this.#who !== who(event)) this.#write(`  ${this.#style(36, who(event))}\n`);
    this.#who = who(event);
    const shade = outcome === 'deny' || outcome === 'refused' ? 31 : outcome === 'change' ? 33 : 32;
    this.#write(
      `    ${this.#style(shade, outcome.padEnd(8))}${what}${where === '' ? '' : `\n            on ${where}`}\n`,
    );
    this.#write(`            ${this.#style(2, evidence(event))}\n`);
  };

  #summarise(): void {
    const again = [...this.#told.values()].reduce((sum, times) => sum + times - 1, 0);
    if (again > 0) this.#write(`    ${this.#style(2, `… and ${again} more events of the same kinds`)}\n`);
    this.#told.clear();
    this.#who = '';
  }

  #style(code: number, text: string): string {
    return this.#colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

interface Told {
  readonly outcome: 'allow' | 'deny' | 'token' | 'refused' | 'change';
  readonly what: string;
  readonly where: string;
}

/** Decisions, tokens and the changes that matter to a job; the administrator’s set-up is not part of the story. */
function tell(event: LoggedEvent): Told | null {
  if (event.kind === 'change') {
    if (!/^(lease|job|role-assignment|group)\./.test(event.changeKind)) return null;
    return { outcome: 'change', what: event.changeKind, where: '' };
  }
  if (event.chain.length === 0 || event.chain.some((link) => link.name === 'Administrator')) return null;
  if (event.kind === 'request.decided') {
    if (event.chain.every((link) => link.kind === 'anonymous')) return null;
    const because = event.allowed ? '' : `  (${event.reason})`;
    return {
      outcome: event.allowed ? 'allow' : 'deny',
      what: event.action + because,
      where: shortScope(event.scope),
    };
  }
  if (event.kind !== 'authentication' || event.activity === 'sign-in') return null;
  return { outcome: event.allowed ? 'token' : 'refused', what: event.activity, where: '' };
}

function evidence(event: LoggedEvent): string {
  const decision =
    event.decisionId === '' || event.kind !== 'request.decided' ? [] : [event.policyId, event.decisionId];
  return [...decision, event.id, `#${event.sequence}`].join('  ');
}

function who(event: LoggedEvent): string {
  return event.chain.map((link) => link.name).join(' › ');
}

/** The end of a scope tells it apart; the subscription in front of it does not. */
function shortScope(scope: string): string {
  const cut = scope.indexOf('/providers/');
  return cut > 0 ? `…${scope.slice(cut + '/providers'.length)}` : scope;
}
