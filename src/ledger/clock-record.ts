import type { Log } from '../lib/log.ts';
import { steppedBeforeStart, type ClockStep, type ClockWatch } from './clock-watch.ts';
import type { Health } from './health.ts';

/** How often it is looked at the clock when nothing is recorded. */
const lookMilliseconds = 1_000;

export interface ClockSteps {
  /** Begins to look; first whether the clock was set back since the newest event, whose time is null for none. */
  start(newestEvent: number | null, now: number): void;
  /** Looks whether the clock was set, and has it recorded: before the first event that carries the new time. */
  look(): void;
  stop(): void;
}

/** Has every step of the clock recorded as an event of its own. One that cannot be recorded is tried again. */
export function recordClockSteps(options: {
  readonly watch: ClockWatch;
  readonly health: Health;
  readonly log: Log;
  readonly record: (detail: Readonly<Record<string, string>>) => Promise<unknown>;
}): ClockSteps {
  const { watch, health, log } = options;
  let unrecorded: ClockStep[] = [];

  const recordAll = (): void => {
    const steps = unrecorded;
    unrecorded = [];
    for (const step of steps) {
      options.record(detailOf(step)).catch((error: unknown) => {
        log.error({ err: error }, 'that the clock was set cannot be recorded; it is tried again');
        unrecorded.push(step);
      });
    }
  };
  const notice = (step: ClockStep | null): void => {
    if (step === null) return;
    const { milliseconds, noticed } = step;
    log.warn({ milliseconds, noticed }, 'the clock was set');
    health.clockSet(step);
    unrecorded.push(step);
    recordAll();
  };

  const look = (): void => notice(watch.look());
  let timer: NodeJS.Timeout | undefined;
  return {
    start: (newestEvent, now) => {
      notice(steppedBeforeStart(newestEvent, now));
      timer = setInterval(() => {
        look();
        if (unrecorded.length > 0) recordAll();
      }, lookMilliseconds).unref();
    },
    look,
    stop: () => clearInterval(timer),
  };
}

function detailOf({ milliseconds, expected, found, noticed }: ClockStep): Record<string, string> {
  return {
    milliseconds: String(milliseconds),
    expected: new Date(expected).toISOString(),
    found: new Date(found).toISOString(),
    noticed,
  };
}
