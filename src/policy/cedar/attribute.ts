import type { AttributeValue } from '../../store/changes.ts';
import { isList } from '../conditions/evaluate.ts';
import type { Scalar } from '../conditions/syntax.ts';
import { valueOf } from '../conditions/values.ts';

/**
 * The value of an attribute, in every form in which an operator may compare it: Cedar has neither types found out at
 * run time nor letters without case. A form that the value does not have is absent. `text` to `time` are there for a
 * single value only; `texts` to `guids` for one value or several, if all of them have that form.
 */
export interface CedarAttribute {
  /** False for an empty list. */
  readonly present: boolean;
  readonly text?: string;
  /** The text in lower case. */
  readonly lower?: string;
  readonly number?: number;
  readonly flag?: boolean;
  readonly guid?: string;
  readonly time?: CedarTime;
  readonly texts?: readonly string[];
  readonly lowers?: readonly string[];
  readonly numbers?: readonly number[];
  readonly guids?: readonly string[];
}

/** Seconds since 1970, and billionths of a second. */
export interface CedarTime {
  readonly second: number;
  readonly nano: number;
}

const string = { type: 'String', required: false };
const long = { type: 'Long', required: false };
const strings = { type: 'Set', element: { type: 'String' }, required: false };

/** The same as a type of a Cedar schema. */
export const attributeShape = {
  type: 'Record',
  attributes: {
    present: { type: 'Boolean' },
    text: string,
    lower: string,
    number: long,
    flag: { type: 'Boolean', required: false },
    guid: string,
    time: {
      type: 'Record',
      attributes: { second: { type: 'Long' }, nano: { type: 'Long' } },
      required: false,
    },
    texts: strings,
    lowers: strings,
    numbers: { type: 'Set', element: { type: 'Long' }, required: false },
    guids: strings,
  },
};

export function cedarAttribute(value: AttributeValue): CedarAttribute {
  const values: readonly Scalar[] = isList(value) ? value : [value];
  if (values.length === 0) return { present: false };
  const texts = every(values, (it) => (typeof it === 'string' ? it : null));
  const numbers = every(values, (it) => {
    const number = valueOf(it, 'number');
    return typeof number === 'number' ? number : null;
  });
  const guids = every(values, (it) => {
    const guid = valueOf(it, 'guid');
    return typeof guid === 'string' ? guid : null;
  });
  return {
    present: true,
    ...(texts && { texts, lowers: texts.map((text) => text.toLowerCase()) }),
    ...(numbers && { numbers }),
    ...(guids && { guids }),
    ...(isList(value) ? {} : single(value)),
  };
}

function single(value: Scalar): Omit<CedarAttribute, 'present'> {
  const number = valueOf(value, 'number');
  const flag = valueOf(value, 'boolean');
  const guid = valueOf(value, 'guid');
  const time = valueOf(value, 'time');
  return {
    ...(typeof value === 'string' && { text: value, lower: value.toLowerCase() }),
    ...(typeof number === 'number' && { number }),
    ...(typeof flag === 'boolean' && { flag }),
    ...(typeof guid === 'string' && { guid }),
    ...(typeof time === 'string' && { time: cedarTime(time) }),
  };
}

/** Of a time as conditions compare them: in UTC, without its Z, nine digits after the point. */
export function cedarTime(normal: string): CedarTime {
  const [whole = '', fraction = ''] = normal.split('.');
  return { second: Date.parse(`${whole}Z`) / 1000, nano: Number(fraction) };
}

/** Null unless every value has the form. */
function every<T>(values: readonly Scalar[], form: (value: Scalar) => T | null): T[] | null {
  const out: T[] = [];
  for (const value of values) {
    const formed = form(value);
    if (formed === null) return null;
    out.push(formed);
  }
  return out;
}
