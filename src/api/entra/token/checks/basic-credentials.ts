// RFC 6749 §2.3.1: client id and secret may come by HTTP Basic, form-encoded first.
import { refusal } from '../../errors.ts';
import type { TokenRequestForm } from '../request.ts';

export interface BasicCredentials {
  readonly clientId: string;
  readonly secret: string;
}

/** Null when the request has no Basic credentials. Throws AADSTS900144 when they are malformed. */
export function basicCredentials({ exchange }: TokenRequestForm): BasicCredentials | null {
  const header = exchange.head.headers.authorization;
  if (header === undefined || !/^basic /i.test(header)) return null;
  const decoded = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 1) throw malformed();
  return { clientId: formDecoded(decoded.slice(0, colon)), secret: formDecoded(decoded.slice(colon + 1)) };
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw malformed();
  }
}

function malformed() {
  return refusal('invalid_request', 900_144, 'The Authorization header is not valid HTTP Basic.');
}
