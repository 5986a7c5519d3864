import { describe, expect, it } from 'vitest';
import { createSigner, generateNoteKey, openNote } from './note.ts';

/** The example in the documentation of golang.org/x/mod/sumdb/note. */
const example = {
  signingKey: 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
  verifierKey: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  signature:
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
};

describe('a signed note', () => {
  it('is the one that Go signs with the same key', () => {
    const signer = createSigner(example.signingKey);
    expect(signer.verifierKey).toBe(example.verifierKey);
    expect(signer.sign(example.text)).toBe(`${example.text}\n${example.signature}`);
  });

  it('opens with its key and gives the text back', () => {
    const { signingKey, verifierKey } = generateNoteKey('log.test/a');
    const note = createSigner(signingKey).sign('a\n\nb\n');
    expect(openNote(note, [verifierKey])).toMatchObject({
      ok: true,
      text: 'a\n\nb\n',
      signatures: [{ name: 'log.test/a', verifierKey, time: null }],
    });
  });

  it('is refused under another key, even one of the same name', () => {
    const note = createSigner(generateNoteKey('log.test/a').signingKey).sign('a\n');
    expect(openNote(note, [generateNoteKey('log.test/a').verifierKey])).toMatchObject({ ok: false });
  });

  it('may carry signatures that the reader does not know', () => {
    const own = createSigner(generateNoteKey('log.test/a').signingKey);
    const witness = createSigner(generateNoteKey('witness.test').signingKey);
    const lines = witness.sign('a\n').slice('a\n\n'.length);
    expect(openNote(own.sign('a\n') + lines, [own.verifierKey])).toMatchObject({ ok: true });
  });

  it('is refused whole when a signature under a trusted name and id is wrong, though another is right', () => {
    const first = createSigner(generateNoteKey('log.test/a').signingKey);
    const second = createSigner(generateNoteKey('log.test/b').signingKey);
    const bad = second.sign('other\n').slice('other\n\n'.length);
    expect(openNote(first.sign('a\n') + bad, [first.verifierKey, second.verifierKey])).toMatchObject({
      ok: false,
    });
  });

  it('cannot carry control characters or lone surrogates', () => {
    const signer = createSigner(example.signingKey);
    for (const text of ['a', 'a\u0000\n', 'a\tb\n', 'a\r\n', '\ud800\n']) {
      expect(() => signer.sign(text)).toThrow(TypeError);
    }
  });

  it.each(['', 'a b', 'a+b', 'a\u00a0b', 'a\nb'])('has no key named %j', (name) => {
    expect(() => generateNoteKey(name)).toThrow(TypeError);
  });

  it('never quotes a malformed signing key', () => {
    const broken = example.signingKey.replace('c74f20a3', 'c74f20a4');
    for (const key of [broken, `${example.signingKey}x`, 'PRIVATE+KEY+x', example.verifierKey]) {
      let message = '';
      try {
        createSigner(key);
      } catch (error) {
        message = String(error);
      }
      expect(message).not.toBe('');
      expect(message).not.toContain('AYEKFALVFGyN');
    }
  });
});
