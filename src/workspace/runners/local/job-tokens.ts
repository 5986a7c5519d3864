import type { Clock } from '../../../lib/clock.ts';
import { backOff, type TokenAnswer } from './lease-client.ts';

/** Where tokens come from: the lease's own endpoint at the gateway. */
export interface TokenSource {
  token(resource: string): Promise<TokenAnswer>;
}

type Token = Extract<TokenAnswer, { kind: 'token' }>;

interface Held {
  readonly token: Token;
  /** Milliseconds since the epoch from which a new one is asked for. */
  readonly renewAt: number;
}

/**
 * The current token of each resource, asked for again from half of its life on (± 10 %, so that jobs that started
 * together do not ask together). While the gateway is away an unexpired token is still handed out, and otherwise the
 * request is held. Once the lease has ended there is no token any more.
 */
export class JobTokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  readonly #holdMilliseconds: number;
  readonly #held = new Map<string, Held>();
  readonly #asking = new Map<string, Promise<TokenAnswer>>();
  #ended: string | null = null;

  constructor(options: { source: TokenSource; clock: Clock; holdMilliseconds: number }) {
    this.#source = options.source;
    this.#clock = options.clock;
    this.#holdMilliseconds = options.holdMilliseconds;
  }

  /** From now on every request is refused. */
  end(message: string): void {
    this.#ended ??= message;
    this.#held.clear();
  }

  /** Forgets a token that was refused elsewhere. */
  forget(resource: string): void {
    this.#held.delete(resource);
  }

  async get(resource: string): Promise<TokenAnswer> {
    const held = this.#held.get(resource);
    if (this.#ended === null && held !== undefined && this.#clock.now() < held.renewAt) return held.token;
    const answer = await this.#once(resource);
    return this.#ended === null ? answer : { kind: 'ended', message: this.#ended };
  }

  #once(resource: string): Promise<TokenAnswer> {
    const running = this.#asking.get(resource);
    if (running !== undefined) return running;
    const asked = this.#ask(resource).finally(() => this.#asking.delete(resource));
    this.#asking.set(resource, asked);
    return asked;
  }

  async #ask(resource: string): Promise<TokenAnswer> {
    const until = this.#clock.now() + this.#holdMilliseconds;
    for (let attempt = 0; ; attempt++) {
      if (this.#ended !== null) return { kind: 'ended', message: this.#ended };
      const answer = await this.#source.token(resource);
      if (answer.kind === 'token') this.#keep(resource, answer);
      if (answer.kind === 'ended') this.end(answer.message);
      if (answer.kind !== 'away') return answer;
      const held = this.#held.get(resource);
      if (held !== undefined && this.#clock.now() < held.token.expiresAt * 1000) return held.token;
      if (this.#clock.now() >= until) return answer;
      await backOff(attempt);
    }
  }

  #keep(resource: string, token: Token): void {
    const now = this.#clock.now();
    const life = Math.max(0, token.expiresAt * 1000 - now);
    const renewAt = now + life * (0.45 + Math.random() / 10);
    if (this.#held.size > 64) this.#held.clear();
    this.#held.set(resource, { token, renewAt });
  }
}
