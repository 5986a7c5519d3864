/** `1.4 MB`: decimal units, three significant digits at most. */
export function bytes(amount: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = amount;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? 'B'}`;
}

/** `2 files`, `1 file`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount.toLocaleString('en-GB')} ${amount === 1 ? one : many}`;
}

/** `840 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((milliseconds % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `12:30:05Z`, of what is near enough for the day to be known. */
export function timeOfDay(when: number | string): string {
  return moment(when).replace(/^.* /, '');
}

/** `2026-03-01 12:30:05Z` from milliseconds since the epoch or an ISO 8601 text; empty for nothing. */
export function moment(when: number | string | null | undefined): string {
  if (when === null || when === undefined || when === '') return '';
  const date = new Date(when);
  return Number.isNaN(date.getTime())
    ? String(when)
    : `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
