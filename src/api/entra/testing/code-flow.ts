import { createHash, randomBytes } from 'node:crypto';
import { lockstepCliAppId } from '../built-in-clients.ts';
import { hiddenFields, type Answer, type Browser } from './browser.ts';
import { adaPassword, type House } from './house.ts';

export const callback = 'http://127.0.0.1:54321/callback';

/** A client that is written by hand, so that it can also do what no library would. */
export class CodeFlow {
  readonly verifier = randomBytes(32).toString('base64url');
  readonly #house: House;
  readonly clientId: string;

  constructor(house: House, clientId: string = lockstepCliAppId) {
    this.#house = house;
    this.clientId = clientId;
  }

  /** Path and query of an authorization request; a change of `undefined` leaves the parameter out. */
  address(changes: Record<string, string | undefined> = {}): string {
    const wanted: Record<string, string | undefined> = {
      client_id: this.clientId,
      response_type: 'code',
      redirect_uri: callback,
      scope: 'openid profile offline_access',
      state: 'the-state',
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...changes,
    };
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(wanted)) if (value !== undefined) query.set(name, value);
    return `/${this.#house.tenantId}/oauth2/v2.0/authorize?${query.toString()}`;
  }

  /** Signs Ada in where that is asked for, and answers with the client's callback address. */
  async signIn(browser: Browser, changes: Record<string, string | undefined> = {}): Promise<URL> {
    let answer = await browser.get(this.address(changes));
    if (answer.location.startsWith('/signin')) {
      const shown = await browser.get(answer.location);
      const form = { ...hiddenFields(shown.text), name: 'ada@lab.example', password: adaPassword };
      const signedIn = await browser.post('/signin', form);
      if (signedIn.status !== 303) throw new Error(`the sign-in was refused: ${signedIn.text}`);
      answer = await browser.get(signedIn.location);
    }
    if (answer.status !== 303) throw new Error(`no redirect: ${answer.status} ${answer.text}`);
    return new URL(answer.location);
  }

  async code(browser: Browser, changes: Record<string, string | undefined> = {}): Promise<string> {
    const back = await this.signIn(browser, changes);
    const code = back.searchParams.get('code');
    if (code === null) throw new Error(`no code: ${back.href}`);
    return code;
  }

  redeem(
    browser: Browser,
    code: string,
    changes: Record<string, string | undefined> = {},
  ): Promise<TokenAnswer> {
    return this.#token(browser, {
      grant_type: 'authorization_code',
      client_id: this.clientId,
      code,
      redirect_uri: callback,
      code_verifier: this.verifier,
      ...changes,
    });
  }

  refresh(
    browser: Browser,
    refreshToken: string,
    changes: Record<string, string | undefined> = {},
  ): Promise<TokenAnswer> {
    return this.#token(browser, {
      grant_type: 'refresh_token',
      client_id: this.clientId,
      refresh_token: refreshToken,
      ...changes,
    });
  }

  async #token(browser: Browser, fields: Record<string, string | undefined>): Promise<TokenAnswer> {
    const form: Record<string, string> = {};
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) form[name] = value;
    const answer = await browser.post(`/${this.#house.tenantId}/oauth2/v2.0/token`, form, {
      accept: 'application/json',
      cookie: '',
    });
    return { answer, status: answer.status, body: JSON.parse(answer.text) as TokenBody };
  }
}

export interface TokenBody {
  readonly access_token?: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  readonly scope?: string;
  readonly expires_in?: number;
  readonly client_info?: string;
  readonly error?: string;
  readonly error_description?: string;
  readonly error_codes?: readonly number[];
}

export interface TokenAnswer {
  readonly answer: Answer;
  readonly status: number;
  readonly body: TokenBody;
}
