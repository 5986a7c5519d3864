import type { ValueType } from './operators.ts';
import type { Scalar } from './syntax.ts';

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const integer = /^-?\d{1,15}$/;
const time = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z$/i;

/**
 * A value in the form in which values of the type are compared; null when it is none. Tags are texts, so integers and
 * truth values may be written as texts too; times become texts of one length, which order as the times do.
 */
export function valueOf(value: Scalar, type: ValueType): Scalar | null {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : null;
    case 'number':
      if (typeof value === 'number') return Number.isSafeInteger(value) ? value : null;
      return typeof value === 'string' && integer.test(value) ? Number(value) : null;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      return value === 'true' ? true : value === 'false' ? false : null;
    case 'guid':
      return typeof value === 'string' && guid.test(value) ? value.toLowerCase() : null;
    case 'time':
      return typeof value === 'string' ? timeOf(value) : null;
  }
}

function timeOf(text: string): string | null {
  const [, whole, fraction = ''] = time.exec(text) ?? [];
  if (whole === undefined) return null;
  const moment = new Date(`${whole.toUpperCase()}Z`);
  // 31 February is no day, though Date would take it for one in March.
  if (Number.isNaN(moment.getTime()) || !moment.toISOString().startsWith(whole.toUpperCase())) return null;
  return `${whole.toUpperCase()}.${fraction.padEnd(9, '0')}`;
}
