import { CliError } from '../cli-error.ts';
import type { Ending } from '../exit-codes.ts';

export interface FailedReply {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly text: string;
}

/** The way in, for those without a password too. */
export const signInHint =
  'Run `lockstep login`. No password? Ask for a sign-in link (`lockstep user link NAME`): `lockstep login --link URL`.';

/** What a refusal says, whichever dialect it is told in: ARM's, Graph's, OAuth's or Blob's. */
export function failureOf(reply: FailedReply, what: string): CliError {
  const { code, message } = read(reply.text);
  const decision = reply.header('x-lockstep-decision-id') ?? reply.text.match(/\bdec_[0-9a-z]{26}\b/)?.[0];
  const text = message ?? `${what} was answered with status ${reply.status}.`;
  const ending = endingOf(reply.status);
  return new CliError(ending, text, {
    ...(code === null ? {} : { code }),
    ...(ending === 'not-signed-in' ? { hint: signInHint } : {}),
    ...(decision === undefined ? {} : { decisionId: decision }),
  });
}

function endingOf(status: number): Ending {
  if (status === 400) return 'usage';
  if (status === 401) return 'not-signed-in';
  if (status === 403) return 'denied';
  if (status === 404) return 'not-found';
  return 'failure';
}

function read(text: string): { code: string | null; message: string | null } {
  if (text.trimStart().startsWith('<')) {
    return {
      code: text.match(/<Code>([^<]*)</)?.[1] ?? null,
      message: xmlText(text.match(/<Message>([^<]*)</)?.[1]),
    };
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { code: null, message: null };
  }
  const error = member(body, 'error');
  if (typeof error === 'string') return { code: error, message: asText(member(body, 'error_description')) };
  return { code: asText(member(error, 'code')), message: asText(member(error, 'message')) };
}

function xmlText(text: string | undefined): string | null {
  if (text === undefined) return null;
  const [sentence = ''] = text.split('\n');
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return sentence.replace(/&(lt|gt|quot|apos|amp);/g, (_all, name: string) => entities[name] ?? '');
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

const untrusted = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

/** A connection that failed before there was any reply. */
export function connectionFailure(error: unknown, origin: string, advice: string): CliError {
  const code = codeOf(error);
  if (code !== null && untrusted.has(code)) {
    return new CliError('unreachable', `The certificate of ${origin} is not trusted (${code}).`, {
      hint: advice,
      cause: error,
    });
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new CliError('unreachable', `The certificate of ${origin} is for another name.`, {
      hint: 'Address the server by the name that its certificate carries (see its `publicUrl`).',
      cause: error,
    });
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return new CliError('unreachable', `The certificate of ${origin} has expired.`, {
      hint: 'Restart the server, which renews its own certificate, or install a new one.',
      cause: error,
    });
  }
  const reason = code ?? (error instanceof Error ? error.message : String(error));
  return new CliError('unreachable', `${origin} cannot be reached (${reason}).`, {
    hint: 'Is the server running (`lockstep serve`), and is this its address? Choose another with --server or LOCKSTEP_URL.',
    cause: error,
  });
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string' && !error.code.startsWith('UND_ERR_SOCKET'))
    return error.code;
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return codeOf(error.cause);
}
