export interface UpstreamAddress {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
  /** Put before every forwarded path: empty, or `/base` without a slash at its end. */
  readonly basePath: string;
  /** What the upstream sees as Host. */
  readonly authority: string;
}

/** Throws for what is no plain http(s) address: with credentials, a query or a fragment. */
export function upstreamAddress(text: string): UpstreamAddress {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`upstream ${url.protocol}//…: only http and https`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new Error(`upstream ${url.origin}: an address has no credentials, query or fragment`);
  }
  const basePath = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname;
  return { origin: url.origin, basePath, authority: url.host };
}
