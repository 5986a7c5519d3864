import { request } from 'node:https';
import { browserCookieName } from '../browser-cookies.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  readonly location: string;
}

/** What a browser says of itself when it opens a page. */
export const navigation = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
};

/** As much of a browser as forms and redirects need: a cookie jar, Origin on posts. Redirects are not followed. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #origin: string;
  readonly #ca: string;

  constructor(house: { publicUrl: string; ca: string }) {
    this.#origin = house.publicUrl;
    this.#ca = house.ca;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send('GET', path, { ...navigation, ...headers });
  }

  post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send(
      'POST',
      path,
      {
        ...navigation,
        origin: this.#origin,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/x-www-form-urlencoded',
        ...headers,
      },
      new URLSearchParams(form).toString(),
    );
  }

  /** Opens the sign-in page, fills it in and sends it. */
  async signIn(name: string, password: string, path = '/signin'): Promise<Answer> {
    const shown = await this.get(path);
    return this.post('/signin', { ...hiddenFields(shown.text), name, password });
  }

  get browserId(): string | undefined {
    return this.cookies.get(browserCookieName);
  }

  async #send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    const url = new URL(path, this.#origin);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = { ...headers, ...(cookie === '' || 'cookie' in headers ? {} : { cookie }) };
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers: sent, ca: this.#ca, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          for (const line of response.headers['set-cookie'] ?? []) this.#keep(line);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
            location: response.headers.location ?? '',
          });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  #keep(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (name === undefined || value === undefined) return;
    if (value === '') this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

export function hiddenFields(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(
    /<input\s+type="hidden"\s+name="([^"]*)"\s+value="([^"]*)"\s*\/?>/g,
  )) {
    if (name !== undefined && value !== undefined) {
      fields[name] = value.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    }
  }
  return fields;
}
