/** Hosts of the loopback interface as a public client may name them. RFC 8252 §7.3 and §8.3. */
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Characters that browsers drop or read as another: a URI that holds one is never what it looks like. */
const deceptive = /[\s\\\p{Cc}\p{Cf}]|[^\u0021-\u007e]/u;

export interface RedirectRules {
  readonly redirectUris: readonly string[];
  readonly publicClient: boolean;
}

/**
 * Whether an authorization response may be sent to `requested`: exactly as registered, byte for byte
 * (RFC 6749 §3.1.2.3, RFC 9700 §4.1.3); a public client's loopback URI may differ in its port alone (RFC 8252 §7.3).
 */
export function redirectUriAllowed(rules: RedirectRules, requested: string): boolean {
  if (deceptive.test(requested) || requested.includes('#')) return false;
  if (!URL.canParse(requested) || !speakable(new URL(requested))) return false;
  if (rules.redirectUris.includes(requested)) return true;
  if (!rules.publicClient) return false;
  const portless = withoutLoopbackPort(requested);
  return (
    portless !== null && rules.redirectUris.some((registered) => withoutLoopbackPort(registered) === portless)
  );
}

/** Web addresses and private-use schemes, which have a dot (RFC 8252 §7.1): never `javascript:`, `data:` and their kin. */
function speakable({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'http:' || protocol.includes('.');
}

/** `http://{loopback}[:{port}]{rest}` as `http://{loopback}{rest}`; null for every other form. */
function withoutLoopbackPort(uri: string): string | null {
  const [, host, rest] =
    /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?((?:[/?].*)?)$/.exec(uri) ?? [];
  if (host === undefined || rest === undefined || !URL.canParse(uri)) return null;
  const url = new URL(uri);
  if (!loopbackHosts.has(url.hostname) || url.username !== '' || url.password !== '') return null;
  return `http://${host}${rest}`;
}

/** What a Content-Security-Policy's `form-action` needs to let a form's redirect end at `uri`; null if unspeakable. */
export function formActionSource(uri: string): string | null {
  if (deceptive.test(uri) || !URL.canParse(uri)) return null;
  const url = new URL(uri);
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  const source = isWeb ? url.origin : url.protocol;
  return /^[\w.:/+[\]-]+$/.test(source) ? source : null;
}
