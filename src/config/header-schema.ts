import { z } from 'zod';

/** Of the connection itself (RFC 9110 §7.6.1), of the body’s frame, and what Lockstep says by itself. */
const reserved = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'content-type',
  'content-encoding',
  'upgrade',
  'expect',
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-prefix',
  'x-request-id',
]);
const reservedPrefixes = ['proxy-', 'sec-', 'x-lockstep', ':'];

/** A name that a connection may give a header of its own (RFC 9110 §5.6.2). Lower case inside. */
export const headerName = z
  .string()
  .max(128)
  .regex(/^[\w!#$%&'*+.^`|~-]+$/, 'is not the name of a header.')
  .transform((name) => name.toLowerCase())
  .refine(
    (name) => !reserved.has(name) && !reservedPrefixes.some((prefix) => name.startsWith(prefix)),
    'is a header that Lockstep, or the connection itself, has to say.',
  );

/** What fits into one line of a head, without space around it. */
export const headerValue = z
  .string()
  .max(8192)
  .regex(/^[!-~]([ -~]*[!-~])?$/, 'must be printable ASCII, without space around it.');
