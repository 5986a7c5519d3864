import { z } from 'zod';
import type { Client } from './connection/client.ts';

/** Every element of a resource manager's collection, page after page. */
export async function armCollection<T>(
  client: Client,
  path: string,
  item: z.ZodType<T>,
  query: Readonly<Record<string, string>> = {},
): Promise<T[]> {
  const page = z.object({ value: z.array(item), nextLink: z.string().nullish() });
  const out: T[] = [];
  let next: { path: string; query: Readonly<Record<string, string>> } | null = { path, query };
  while (next !== null) {
    const { value, nextLink }: z.infer<typeof page> = await client.json('arm', 'GET', next.path, page, {
      query: next.query,
    });
    out.push(...value);
    const link: URL | null = nextLink ? new URL(nextLink) : null;
    next = link === null ? null : { path: link.pathname + link.search, query: {} };
  }
  return out;
}
