import { z } from 'zod';

const noAuthority = 'the authority that vouches for it is to be named in `tls.authorities`';

/** What a setting can mend, by the code of Node's or OpenSSL's error. */
const advice: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: noAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: noAuthority,
  UNABLE_TO_GET_ISSUER_CERT: noAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: noAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: noAuthority,
  ERR_TLS_CERT_ALTNAME_INVALID: 'the name that it is for is to be said as `tls.serverName`',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'it asks for a client certificate: `tls.certificate` and `tls.key`',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not trust the client certificate in `tls.certificate`',
};

const plainThere = 'no TLS is spoken there: is its address one of http://?';
const coded = z.looseObject({ code: z.string(), message: z.string() });

/** Why an upstream cannot be spoken to, with what to set where that is known. */
export function advised(cause: unknown, otherwise: string): string {
  const { data } = coded.safeParse(cause);
  if (data === undefined) return otherwise;
  // OpenSSL's own words name a thread and a line of its source.
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/.test(data.code))
    return plainThere;
  const hint = advice[data.code];
  if (hint === undefined) return otherwise;
  if (data.code.startsWith('ERR_SSL')) return hint;
  // What Node advises behind a semicolon is how to start Node.
  return `${data.message.replace(/; if the root CA is .*$/, '')}; ${hint}`;
}
