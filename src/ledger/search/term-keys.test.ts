import { describe, expect, it } from 'vitest';
import { TermKeys } from './term-keys.ts';

const key = Uint8Array.from({ length: 16 }, (_, i) => i);

describe('the key of a word', () => {
  it('is HalfSipHash-2-4 of its UTF-16: the reference vectors of even length', () => {
    // vectors_hsip32 of github.com/veorq/SipHash: the input is the bytes 00 01 02 …, so many of them.
    const reference: Readonly<Record<number, string>> = {
      0: 'a9359f5b',
      2: 'fa62a603',
      4: '2a6e4689',
      6: '5863fc23',
      8: 'd0b8848f',
      10: '94b07934',
      62: 'bd83997a',
    };
    const keys = new TermKeys(key);
    for (const [bytes, expected] of Object.entries(reference)) {
      const input = Buffer.from(Array.from({ length: Number(bytes) }, (_, i) => i)).toString('utf16le');
      const digest = Buffer.alloc(4);
      digest.writeUInt32LE(keys.of(input));
      expect(digest.toString('hex')).toBe(expected);
    }
  });

  it('of the beginnings of a word is that of each alone', () => {
    const keys = new TermKeys(key);
    const word = 'r/subscriptions/s/resourcegroups/g';
    const lengths = Array.from({ length: word.length + 1 }, (_, length) => length);
    expect(keys.ofBeginnings(word, lengths)).toEqual(lengths.map((length) => keys.of(word.slice(0, length))));
  });

  it('is another in another database', () => {
    expect(new TermKeys(key).of('pada')).not.toBe(new TermKeys(key.toReversed()).of('pada'));
  });
});
