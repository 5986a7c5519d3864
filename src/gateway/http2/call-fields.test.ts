import { describe, expect, it } from 'vitest';
import { fieldsOfCall } from './call-fields.ts';

describe('the fields of a call of gRPC', () => {
  it('keep values of one name apart, in their order', () => {
    const joined = { 'x-two-bin': 'b25l, dHdv', 'x-two': 'a, b, c', 'x-one': 'a, b' };
    const raw = ['x-two-bin', 'b25l', 'x-two', 'a, b', 'x-one', 'a, b', 'x-two-bin', 'dHdv', 'x-two', 'c'];
    expect(fieldsOfCall(joined, raw)).toEqual({
      'x-two-bin': ['b25l', 'dHdv'],
      'x-two': ['a, b', 'c'],
      'x-one': 'a, b',
    });
  });

  it('leave to HTTP what is its own', () => {
    const headers = { ':path': '/', accept: 'a, b', cookie: 'a=1; b=2' };
    const raw = [':path', '/', 'accept', 'a', 'accept', 'b', 'cookie', 'a=1', 'cookie', 'b=2'];
    expect(fieldsOfCall(headers, raw)).toEqual(headers);
  });

  it('may have any name', () => {
    const raw = ['__proto__', 'a', '__proto__', 'b', 'constructor', 'c'];
    const fields = fieldsOfCall(
      Object.fromEntries([
        ['__proto__', 'a, b'],
        ['constructor', 'c'],
      ]),
      raw,
    );
    expect(Object.entries(fields)).toEqual([
      ['__proto__', ['a', 'b']],
      ['constructor', 'c'],
    ]);
  });
});
