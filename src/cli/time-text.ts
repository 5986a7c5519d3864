import { CliError } from './cli-error.ts';

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * ISO 8601 in UTC of a time as a command line gives it: an ISO 8601 day or time (UTC unless it says otherwise), or how
 * long ago, `90s`, `30m`, `2h`, `7d`, `4w`. Throws CliError `usage`.
 */
export function readTime(option: string, text: string, now: number): string {
  const [, amount, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const ago = units[unit ?? ''];
  if (amount !== undefined && ago !== undefined) return new Date(now - Number(amount) * ago).toISOString();
  const form = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/;
  const zone = form.exec(text)?.[1];
  const time = form.test(text)
    ? Date.parse(text.replace(' ', 'T') + (text.length > 10 && zone === undefined ? 'Z' : ''))
    : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new CliError('usage', `--${option}: \`${text}\` is no time.`, {
    hint: 'A time looks like 2027-03-01, 2027-03-01T08:00Z, 30m, 2h or 7d.',
  });
}
