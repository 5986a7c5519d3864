import { failure, type LockstepError } from '../../../lib/errors.ts';
import { isReservedTag } from './stamps.ts';

/** Field numbers of opentelemetry/proto/collector/trace/v1, trace/v1 and resource/v1. */
const resourceSpans = 1;
const resource = 1;
const resourceAttributes = 1;
const scopeSpans = 2;
const spans = 2;
const traceId = 1;
const spanAttributes = 9;
const attributeKey = 1;

/** MLflow makes tags of a trace from attributes of its root span under this prefix, and from all of its resource. */
const tagPrefix = 'mlflow.traceTag.';

/** So many messages and texts are looked at in one export; 4 MiB of real spans have fewer. */
const mostMessages = 300_000;

/**
 * The ids, as MLflow writes them (`tr-…`), of the traces that an ExportTraceServiceRequest brings spans for. Throws
 * `invalid_request` for bytes that are none, and `access_denied` for attributes that would become reserved tags.
 * protobuf.dev/programming-guides/encoding, opentelemetry.io/docs/specs/otlp
 */
export function exportedTraceIds(bytes: Buffer): string[] {
  const ids = new Set<string>();
  let left = mostMessages;
  const messages = (message: Buffer, field: number): Buffer[] => {
    const found = messagesOf(message, field, left);
    left -= found.length;
    return found;
  };
  const checkAttributes = (message: Buffer, field: number): void => {
    for (const attribute of messages(message, field)) {
      for (const key of messages(attribute, attributeKey)) checkAttribute(key.toString('utf8'));
    }
  };
  for (const group of messages(bytes, resourceSpans)) {
    for (const origin of messages(group, resource)) checkAttributes(origin, resourceAttributes);
    for (const scope of messages(group, scopeSpans)) {
      for (const span of messages(scope, spans)) {
        // Were it to stand twice, the last would count; both are looked at.
        for (const id of messages(span, traceId)) {
          if (id.length !== 16) throw malformed('a trace id has 16 bytes');
          ids.add(`tr-${id.toString('hex')}`);
        }
        checkAttributes(span, spanAttributes);
      }
    }
  }
  return [...ids];
}

function checkAttribute(key: string): void {
  const tag = key.startsWith(tagPrefix) ? key.slice(tagPrefix.length) : key;
  if (!isReservedTag(tag)) return;
  throw failure(
    'access_denied',
    `The attribute \`${key.slice(0, 100)}\` says who made this or where it is kept, so it is not the sender's to write.`,
  );
}

/** All that stands in a message under a number, where only length-delimited fields have it, and no more than `most`. */
function messagesOf(message: Buffer, field: number, most: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at];
      if (byte === undefined) throw malformed('it ends within a number');
      at += 1;
      // Beyond 2^53 it is no length and no tag, and its value matters to nobody.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a number is longer than ten bytes');
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (number === 0 || tag > 0xffffffff) throw malformed('a field has no number');
    const length = lengthOf(tag % 8, varint);
    const start = at;
    at += length;
    if (at > message.length) throw malformed('it ends within a field');
    if (number !== field) continue;
    if (tag % 8 !== 2) throw malformed('a field has another type than it should');
    if (found.length >= most) throw malformed('it holds too many messages');
    found.push(message.subarray(start, at));
  }
  return found;
}

/** Bytes that follow, once what tells their number is read. */
function lengthOf(wireType: number, varint: () => number): number {
  switch (wireType) {
    case 0:
      varint();
      return 0;
    case 1:
      return 8;
    case 2:
      return varint();
    case 5:
      return 4;
    default:
      // Groups are no part of this message in any version of it.
      throw malformed('a field has a type that is not used');
  }
}

function malformed(what: string): LockstepError {
  return failure('invalid_request', `The body is no ExportTraceServiceRequest of OpenTelemetry: ${what}.`);
}
