import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, servedCertificate } from '../e2e/chromium.ts';

/** A person with a browser, who has a password and has not signed in yet. */
export interface PersonBrowser {
  readonly page: Page;
  /** What the page has complained of. */
  readonly troubles: readonly string[];
  /** Opens an address; signs in where that is asked for. */
  open(address: string): Promise<void>;
  close(): Promise<void>;
}

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

export function newPassword(): string {
  return `pw-${randomUUID()}`;
}

/** `host`: one that the listener has a certificate for. */
export async function personBrowser(
  listener: { readonly port: number; readonly ca: string; readonly host: string },
  { name, password }: Credentials,
): Promise<PersonBrowser> {
  const chromium: Browser = await launchChromium({
    trusted: [await servedCertificate(listener.port, listener.host, listener.ca)],
  });
  const context = await chromium.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('response', (response) => {
    if (response.status() >= 400)
      troubles.push(`${response.status()} ${response.request().method()} ${response.url()}`);
  });
  return {
    page,
    troubles,
    async open(address) {
      await page.goto(address);
      if (new URL(page.url()).pathname !== '/signin') return;
      await page.getByLabel('User name').fill(name);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForURL((url) => url.host === new URL(address).host);
    },
    close: () => chromium.close(),
  };
}
