import { request, type Agent, type Dispatcher } from 'undici';
import { CliError } from '../cli-error.ts';

/** More steps than any sign-in has. */
const maxSteps = 20;

interface Page {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
}

/**
 * Plays the browser of somebody who opens a one-time sign-in link and then the address of an application: keeps
 * cookies of the server's origin and follows redirects. It goes to the given origin and to the loopback callback,
 * nowhere else.
 */
export class LinkBrowser {
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #userAgent: string;
  readonly #cookies = new Map<string, string>();

  /** `userAgent`: what its sign-ins are shown as. */
  constructor(origin: string, agent: Agent, userAgent: string) {
    this.#origin = origin;
    this.#agent = agent;
    this.#userAgent = userAgent;
  }

  open(address: URL): Promise<Page> {
    return this.#go('GET', address, null);
  }

  /** Presses the button of a page that asks for nothing else; null when the page is not of that kind. */
  async press(page: Page): Promise<Page | null> {
    const form = onlyButton(page);
    return form === null ? null : this.#go('POST', form.action, form.body);
  }

  async #go(method: 'GET' | 'POST', address: URL, body: string | null): Promise<Page> {
    let url = address;
    let sent: { method: 'GET' | 'POST'; body: string | null } = { method, body };
    for (let step = 0; step < maxSteps; step++) {
      const reply = await this.#send(sent.method, url, sent.body);
      const location = reply.headers['location'];
      if (reply.statusCode < 300 || reply.statusCode >= 400 || typeof location !== 'string') {
        return { url, status: reply.statusCode, html: await reply.body.text() };
      }
      await reply.body.dump();
      url = new URL(location, url);
      if (reply.statusCode !== 307 && reply.statusCode !== 308) sent = { method: 'GET', body: null };
    }
    throw new CliError('not-signed-in', 'The sign-in redirects without end.');
  }

  async #send(method: 'GET' | 'POST', url: URL, body: string | null): Promise<Dispatcher.ResponseData> {
    const ours = url.origin === this.#origin;
    if (!ours && !(url.protocol === 'http:' && url.hostname === '127.0.0.1')) {
      throw new CliError('not-signed-in', `The sign-in leads away from ${this.#origin}, to ${url.origin}.`);
    }
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await request(url, {
      method,
      headers: {
        accept: 'text/html',
        'user-agent': this.#userAgent,
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        ...(ours && cookies !== '' ? { cookie: cookies } : {}),
        ...(body === null
          ? {}
          : {
              'content-type': 'application/x-www-form-urlencoded',
              origin: this.#origin,
              'sec-fetch-site': 'same-origin',
            }),
      },
      ...(body === null ? {} : { body }),
      ...(ours ? { dispatcher: this.#agent } : {}),
    });
    if (ours) this.#keep(reply.headers['set-cookie']);
    return reply;
  }

  #keep(header: string | string[] | undefined): void {
    for (const line of header === undefined ? [] : [header].flat()) {
      const [pair = '', ...attributes] = line.split(';');
      const cut = pair.indexOf('=');
      const name = pair.slice(0, cut).trim();
      const value = pair.slice(cut + 1).trim();
      const ended =
        value === '' ||
        attributes.some(
          (text) => /^\s*max-age=0\s*$/i.test(text) || /^\s*expires=Thu, 01 Jan 1970/i.test(text),
        );
      if (ended) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}

/** The form of a page that only wants its button pressed; null when it has none, or asks for more. */
function onlyButton(page: Page): { action: URL; body: string } | null {
  const forms = [...page.html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].filter(([, attributes = '']) =>
    /\bmethod\s*=\s*"?post"?/i.test(attributes),
  );
  const [form] = forms;
  if (form === undefined || forms.length > 1) return null;
  const [, attributes = '', content = ''] = form;
  const fields = new URLSearchParams();
  for (const [tag] of content.matchAll(/<(?:input|button|select|textarea)\b[^>]*>/gi)) {
    const name = attribute(tag, 'name');
    const type = attribute(tag, 'type') ?? (/^<button/i.test(tag) ? 'submit' : 'text');
    if (type !== 'hidden' && type !== 'submit') return null;
    if (name !== null) fields.append(name, attribute(tag, 'value') ?? '');
  }
  return { action: new URL(attribute(attributes, 'action') ?? '', page.url), body: fields.toString() };
}

function attribute(tag: string, name: string): string | null {
  const value = new RegExp(`\\b${name}\\s*=\\s*"([^"]*)"`, 'i').exec(tag)?.[1];
  if (value === undefined) return null;
  const entities: Readonly<Record<string, string>> = {
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    '#39': "'",
    '#x27': "'",
  };
  return value.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_all, entity: string) => entities[entity] ?? '');
}
