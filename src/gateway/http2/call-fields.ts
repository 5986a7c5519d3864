import { constants, type IncomingHttpHeaders } from 'node:http2';

/** Names that are HTTP's, which says itself what several fields of one mean. */
const known: ReadonlySet<unknown> = new Set(
  Object.entries(constants).flatMap(([name, value]) => (name.startsWith('HTTP2_HEADER_') ? [value] : [])),
);

/**
 * The fields of a call of gRPC, where metadata of one name keep their values apart. Node joins them with commas, which
 * gRPC allows; its C core reads binary ones of which each stands by itself, and no others. `raw` are names and values in
 * turn.
 */
export function fieldsOfCall(headers: IncomingHttpHeaders, raw: readonly string[]): IncomingHttpHeaders {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (known.has(name)) continue;
    const others = values.get(name);
    if (others === undefined) values.set(name, [raw[i + 1] ?? '']);
    else others.push(raw[i + 1] ?? '');
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const all = values.get(name) ?? [];
      return [name, all.length > 1 ? all : value];
    }),
  );
}
