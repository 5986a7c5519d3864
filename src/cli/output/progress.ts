export interface Progress {
  /** `done` of `total` units, of which `label` says what they are. */
  at(done: number, total: number): void;
  /** Takes the bar away. */
  clear(): void;
  /** Replaces the bar with one line that stays. */
  end(line: string): void;
}

interface Target {
  write(text: string): unknown;
}

/**
 * Progress on standard error: one redrawn line on a terminal, elsewhere only the line that stays, so that logs and
 * pipes hold no half-drawn bars.
 */
export function progress(
  target: Target,
  redraw: boolean,
  label: string,
  unit: (n: number) => string,
): Progress {
  let lastDrawn = -1;
  return {
    at(done, total) {
      if (!redraw) return;
      const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
      if (percent === lastDrawn) return;
      lastDrawn = percent;
      const filled = Math.round(percent / 5);
      const bar = '━'.repeat(filled) + '╌'.repeat(20 - filled);
      target.write(`\r\u001b[K${label}  ${bar} ${String(percent).padStart(3)} %  ${unit(done)}`);
    },
    clear() {
      if (redraw) target.write('\r\u001b[K');
    },
    end(line) {
      target.write((redraw ? '\r\u001b[K' : '') + line + '\n');
    },
  };
}
