import { z, type ZodType } from 'zod';
import { LockstepError } from '../../../lib/errors.ts';
import { parseJson } from '../../bodies/parse-body.ts';
import { drainBody } from '../../upstream/drain-body.ts';
import { wholeBody } from '../../upstream/whole-body.ts';
import type { Asker, Proxied } from '../web/proxied.ts';

const session = z.looseObject({
  id: z.string(),
  path: z.string(),
  kernel: z.looseObject({ id: z.string() }).nullish(),
});
export type JupyterSession = z.infer<typeof session>;
export const sessionList = z.array(session);
const contentsModel = z.looseObject({ type: z.string() });
const filePath = z.looseObject({ path: z.string() });

const largestAnswer = 16_777_216;
const patienceMilliseconds = 10_000;

/** The head of an answer. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * What only the notebook server knows, asked as the gateway, each time anew: sessions move with their notebooks, and
 * files with whoever moves them. Throws `upstream_unreachable` where no answer is to be had, which is no answer.
 */
export class ServerQuestions {
  readonly #proxied: Proxied;
  readonly #base: string;
  readonly #mustRun: (answer: Answered) => void;

  /** `base`: path of the server at the upstream, without a slash at its end. `mustRun`: see JupyterServer. */
  constructor(proxied: Proxied, base: string, mustRun: (answer: Answered) => void) {
    this.#proxied = proxied;
    this.#base = base;
    this.#mustRun = mustRun;
  }

  async sessions(asker: Asker): Promise<readonly JupyterSession[]> {
    return (await this.#ask('/api/sessions', sessionList, asker)) ?? [];
  }

  /** `directory`, `notebook` or `file`; null for what is not there. `address` is the path beneath the base, as it is forwarded. */
  async typeOf(address: string, asker: Asker): Promise<string | null> {
    return (await this.#ask(`${address}?content=0`, contentsModel, asker))?.type ?? null;
  }

  /** The path of a document of jupyter-collaboration's; null for one that it does not know. */
  async pathOfDocument(id: string, asker: Asker): Promise<string | null> {
    const target = `/api/fileid/path?id=${encodeURIComponent(id)}`;
    return (await this.#ask(target, filePath, asker))?.path ?? null;
  }

  async #ask<T>(target: string, schema: ZodType<T>, asker: Asker): Promise<T | null> {
    const answer = await this.#proxied.ask('GET', this.#base + target, {
      asserted: true,
      signal: AbortSignal.any([asker.signal, AbortSignal.timeout(patienceMilliseconds)]),
      caller: asker.caller,
    });
    if (answer.statusCode !== 200) {
      await drainBody(answer.body);
      this.#mustRun({ status: answer.statusCode, headers: answer.headers });
      if (answer.statusCode === 404 || answer.statusCode === 400) return null;
      throw unanswered(`it answered ${answer.statusCode}`);
    }
    try {
      return parseJson(await wholeBody(answer.whole ?? answer.body, largestAnswer), schema);
    } catch (cause) {
      throw unanswered('its answer is not to be understood', cause);
    }
  }
}

function unanswered(why: string, cause?: unknown): LockstepError {
  return new LockstepError({
    code: 'upstream_unreachable',
    publicMessage: 'The notebook server did not say where this belongs, so it cannot be decided on.',
    internalMessage: `a question to the notebook server: ${why}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
