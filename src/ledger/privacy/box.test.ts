import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { closeBoxes, decodeBoxes } from './box.ts';
import type { SealedValue } from './box-form.ts';
import { Keystream, keystreamKey } from './keystream.ts';

const event = 'evt_01h455vb4pex5vsknk084sn02q';
const markBytes = 4;

interface Key {
  readonly keyName: string;
  readonly secret: Buffer;
  readonly stream: Keystream;
}

function newKey(): Key {
  const secret = randomBytes(32);
  return { keyName: randomBytes(16).toString('hex'), secret, stream: new Keystream(keystreamKey(secret)) };
}

const close = (key: Key, values: readonly SealedValue[]) => closeBoxes([{ ...key, values }]);
const opened = (bytes: Uint8Array, key: Key) => decodeBoxes(bytes)?.map((box) => box.open(event, key.secret));

describe('what is closed', () => {
  it('is opened with its key alone, of one subject or several, long and short', () => {
    const [ada, bob] = [newKey(), newKey()];
    for (const text of ['', 'Ada', 'Ä'.repeat(61), 'x'.repeat(5_000)]) {
      const [hers, his]: SealedValue[][] = [[[0, 'salt', text]], [[1, 'pepper', { name: text }]]];
      const bytes = closeBoxes([
        { ...ada, values: hers ?? [] },
        { ...bob, values: his ?? [] },
      ]);
      expect(decodeBoxes(bytes)?.map(({ keyName }) => keyName)).toEqual([ada.keyName, bob.keyName]);
      expect(opened(bytes, ada)).toEqual([hers, null]);
      expect(opened(bytes, bob)).toEqual([null, his]);
    }
  });

  it('says of the length of a value no more than how many times 64 bytes it takes', () => {
    const key = newKey();
    const lengths = Array.from({ length: 120 }, (_, i) => close(key, [[0, '', 'x'.repeat(i)]]).length);
    expect(new Set(lengths).size).toBe(3);
  });

  it('never uses a part of the keystream twice', () => {
    const key = newKey();
    const used = new Set<string>();
    for (let i = 0; i < 3_000; i++) {
      const bytes = Buffer.from(close(key, [[0, '', 'x'.repeat(i % 300)]]));
      const nonce = bytes.toString('hex', markBytes + 16, markBytes + 28);
      const first = bytes.readUInt32BE(markBytes + 28);
      const blocks = bytes.readUInt32BE(markBytes + 32) / 16;
      for (let block = first; block < first + blocks; block++) {
        expect(used.has(`${nonce} ${block}`)).toBe(false);
        used.add(`${nonce} ${block}`);
      }
    }
    expect(used.size).toBeGreaterThan(20_000);
  });

  it('hides what is equal', () => {
    const key = newKey();
    const ciphertext = () =>
      Buffer.from(close(key, [[0, 'salt', 'Ada']]).subarray(markBytes + 36)).toString('hex');
    expect(new Set(Array.from({ length: 200 }, ciphertext)).size).toBe(200);
  });

  it('is AES-256-CTR, as another program would do it', () => {
    const key = newKey();
    close(key, [[0, 'salt', 'somebody else']]);
    const bytes = Buffer.from(close(key, [[0, 'salt', 'Ada']]));
    const counter = bytes.subarray(markBytes + 16, markBytes + 32);
    const text = createCipheriv('aes-256-ctr', keystreamKey(key.secret), counter).update(
      bytes.subarray(markBytes + 36),
    );
    expect(text.toString('utf8').trimEnd()).toBe('[[0,"salt","Ada"]]');
  });
});

describe('bytes that were altered', () => {
  it('never throw, whichever of them is another', () => {
    const key = newKey();
    const bytes = Buffer.from(close(key, [[0, 'salt', 'Ada']]));
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 16, 128]) {
        const altered = Buffer.from(bytes);
        altered.writeUInt8(altered.readUInt8(at) ^ bit, at);
        expect(() => opened(altered, key)).not.toThrow();
      }
    }
    for (let end = 0; end < bytes.length; end++)
      expect(() => opened(bytes.subarray(0, end), key)).not.toThrow();
    for (let i = 0; i < 2_000; i++) expect(() => opened(randomBytes(i % 200), key)).not.toThrow();
  });
});

describe('boxes of the former form', () => {
  it('are opened, for their event alone', () => {
    const key = newKey();
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key.secret, nonce).setAAD(Buffer.from(event));
    const ciphertext = Buffer.concat([cipher.update('[[0,"salt","Ada"]]      ', 'utf8'), cipher.final()]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(ciphertext.length);
    const bytes = Buffer.concat([
      Buffer.from(key.keyName, 'hex'),
      nonce,
      cipher.getAuthTag(),
      length,
      ciphertext,
    ]);
    expect(opened(bytes, key)).toEqual([[[0, 'salt', 'Ada']]]);
    expect(decodeBoxes(bytes)?.map((box) => box.open('evt_of-another', key.secret))).toEqual([null]);
    expect(opened(bytes, newKey())).toEqual([null]);
  });
});
