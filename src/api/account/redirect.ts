import type { Reply } from '../../gateway/types.ts';

/** To where the browser asks next, with GET, whatever it asked now. RFC 9110 §15.4.4. */
export function redirect(location: string, setCookies: readonly string[] = []): Reply {
  return {
    status: 303,
    headers: {
      location,
      'cache-control': 'no-store',
      ...(setCookies.length === 0 ? {} : { 'set-cookie': setCookies }),
    },
  };
}
