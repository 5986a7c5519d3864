import { createHash } from 'node:crypto';
import type { Reply } from '../../../gateway/types.ts';
import { css, stylesheet } from './assets.ts';
import { Html, html } from './html.ts';

export interface Page {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
  /** More room, for pages that show more than one form. */
  readonly wide?: boolean;
  /** A source for `form-action` besides this host: where the redirect after a form may end. */
  readonly formAction?: string | null;
  /** Path of a script of ours; pages have none otherwise. */
  readonly script?: string;
  /** One within the page, at its end, for a page that stands alone. */
  readonly inlineScript?: string;
  readonly setCookies?: readonly string[];
  /** Asks for nothing further, not even its style: for a host that is somebody else's, or when little works. */
  readonly alone?: boolean;
}

const inlineStyle = new Html(`<style>${css}</style>`);
const inlineStyleSource = sourceOf(css);

/** By which a policy admits what stands in the page itself, and nothing else. */
function sourceOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/**
 * A whole page. Nothing inline runs but a script of ours, nothing frames it, nothing is stored, nothing is loaded from elsewhere.
 * The referrer stays on this host: `no-referrer` would also blank the Origin of our own forms.
 */
export function page(content: Page): Reply {
  const { title, body, status = 200, wide = false, formAction = null, script, setCookies = [] } = content;
  const { alone = false, inlineScript } = content;
  const scripts = inlineScript === undefined ? "'none'" : sourceOf(inlineScript);
  const policy = [
    "default-src 'none'",
    `style-src ${alone ? inlineStyleSource : "'self'"}`,
    `script-src ${script === undefined ? scripts : "'self'"}`,
    `form-action 'self'${formAction === null ? '' : ` ${formAction}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
  const text = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Lockstep</title>
${alone ? inlineStyle : html`<link rel="stylesheet" href="${stylesheet.path}" />`}
${script === undefined ? null : html`<script src="${script}" defer></script>`}
</head>
<body${wide ? new Html(' class="wide"') : null}>
${body}
<footer>One identity, one policy, one log.</footer>
${inlineScript === undefined ? null : new Html(`<script>${inlineScript}</script>`)}
</body>
</html>
`.text;
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
      ...(setCookies.length === 0 ? {} : { 'set-cookie': setCookies }),
    },
    body: text,
  };
}

export const brand = html`<p class="brand">
  <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <g fill="none" stroke="currentColor" stroke-width="3">
      <circle cx="12" cy="16" r="8.5" />
      <circle cx="20" cy="16" r="8.5" />
    </g></svg
  >Lockstep
</p>`;
