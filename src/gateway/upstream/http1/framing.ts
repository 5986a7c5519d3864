import type { IncomingHttpHeaders } from 'node:http';
import type { AnswerHead } from './head-parser.ts';
import { WireFault } from './wire-fault.ts';

/** Where the body of an answer ends: RFC 9112 §6.3. */
export type AnswerFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** With the connection: nothing tells one that is whole from one that was cut. */
  | { readonly kind: 'until-close' };

const none: AnswerFraming = { kind: 'none' };
const chunked: AnswerFraming = { kind: 'chunked' };
const untilClose: AnswerFraming = { kind: 'until-close' };

/**
 * Of a final answer, whose length is a plain number from then on. Throws a WireFault for whatever two readers could read in two ways: a length that stands twice, be
 * it the same, or is no plain number, or stands beside a transfer coding; a coding other than `chunked`, or with HTTP/1.0.
 */
export function framingOf({ minor, statusCode, headers }: AnswerHead, method: string): AnswerFraming {
  const coding = fieldOf(headers, 'transfer-encoding');
  const length = fieldOf(headers, 'content-length');
  if (coding !== undefined) {
    if (length !== undefined) throw new WireFault('a length stands beside a transfer coding');
    if (typeof coding !== 'string' || coding.toLowerCase() !== 'chunked') {
      throw new WireFault('the transfer coding is not `chunked` alone');
    }
    if (minor === 0) throw new WireFault('HTTP/1.0 has no transfer codings');
  }
  if (length !== undefined && (typeof length !== 'string' || !/^[0-9]{1,15}$/.test(length))) {
    throw new WireFault('the length of the body is not one number');
  }
  // Whoever reads it next may take zeros before it for octal.
  if (typeof length === 'string' && length.startsWith('0'))
    headers['content-length'] = String(Number(length));
  if (method === 'HEAD' || statusCode === 204 || statusCode === 304) return none;
  if (coding !== undefined) return chunked;
  if (length === undefined) return untilClose;
  return Number(length) === 0 ? none : { kind: 'length', bytes: Number(length) };
}

/** How long the connection may be kept for another request, in milliseconds; 0 where it may not be. RFC 9112 §9.3. */
export function keptFor(
  { minor, headers }: AnswerHead,
  framing: AnswerFraming,
  { most, margin }: { readonly most: number; readonly margin: number },
): number {
  if (framing.kind === 'until-close') return 0;
  const connection = fieldOf(headers, 'connection');
  if (connection === undefined) {
    if (minor === 0) return 0;
  } else {
    const options = String(connection).toLowerCase().split(',');
    const has = (wanted: string): boolean => options.some((option) => option.trim() === wanted);
    if (has('close') || (minor === 0 && !has('keep-alive'))) return 0;
  }
  const hint = fieldOf(headers, 'keep-alive');
  if (hint === undefined) return most;
  const seconds = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,9})/i.exec(String(hint))?.[1];
  return seconds === undefined ? most : Math.max(0, Math.min(most, Number(seconds) * 1000 - margin));
}

/** A list where it came more than once, whatever Node's own parser would make of that name. */
export function fieldOf(headers: IncomingHttpHeaders, name: string): string | readonly string[] | undefined {
  return headers[name];
}
