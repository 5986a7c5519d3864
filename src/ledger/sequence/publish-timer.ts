import type { Log } from '../../lib/log.ts';
import type { Sequencer } from './sequencer.ts';

/** Publishes a while after an append, again and again while it fails. */
export function publishTimer(
  sequencer: Pick<Sequencer, 'integrate'>,
  milliseconds: number,
  log: Log,
): { schedule(): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let failing = false;
  const schedule = (): void => {
    if (timer !== null || stopped) return;
    timer = setTimeout(() => {
      timer = null;
      sequencer.integrate().then(
        () => {
          if (failing) log.info('the ledger publishes again');
          failing = false;
        },
        (error: unknown) => {
          if (!failing) log.error({ err: error }, 'the ledger cannot publish; it keeps trying');
          failing = true;
          schedule();
        },
      );
    }, milliseconds).unref();
  };
  return {
    schedule,
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
