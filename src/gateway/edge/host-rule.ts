/** Which Host headers are ours. Any other is refused: a page of another site may point its name at our address. */
export interface HostRule {
  /** Exact names, lower case, without port: the public host, `localhost`, `127.0.0.1`, `::1`. */
  readonly names: readonly string[];
  /** Every name beneath it is ours too: connections and storage accounts have hosts there. */
  readonly baseDomain: string;
}

/** The host name of a Host header, lower case and without port or brackets; null when it is malformed or not ours. */
export function hostOf(authority: string, rule: HostRule): string | null {
  const match = /^(?:([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)|\[([0-9a-f:.]{2,45})\])(?::(\d{1,5}))?$/.exec(
    authority,
  );
  if (match === null) return null;
  if (match[3] !== undefined && Number(match[3]) > 65_535) return null;
  const name = match[1] ?? match[2] ?? '';
  if (name.includes('..')) return null;
  if (rule.names.includes(name)) return name;
  return name.endsWith(`.${rule.baseDomain}`) ? name : null;
}

/** The one label beneath the base domain by which a host would be a connection's; null for any other host. */
export function connectionLabel(host: string, { names, baseDomain }: HostRule): string | null {
  const [label = '', ...rest] = host.split('.');
  return !names.includes(host) && rest.join('.') === baseDomain ? label : null;
}
