import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queryWithoutTokens, subprotocolsWithoutTokens } from './carried-tokens.ts';

const headers = { authorization: 'Bearer s3cret-token.value' };
const without = (rawQuery: string): string => queryWithoutTokens({ rawQuery, headers });

describe('a query', () => {
  it.each([
    ['token=x', ''],
    ['a=1&token=x&b=2', 'a=1&b=2'],
    ['TOKEN=x&Access_Token=y&access-token=z&id_token=1&api_key=k&Authorization=b', ''],
    ['%74oken=x&t%6Fken=y&a=1', 'a=1'],
    ['token&a', 'a'],
    [' token=x&+token=x&token+=x'.replaceAll(' ', '%20'), ''],
    ['a=1;token=x&b=2', 'b=2'],
    ['redirect=/x?t=s3cret-token.value&b=2', 'b=2'],
    ['q=s3cret%2Dtoken%2Evalue', ''],
    ['s3cret-token.value', ''],
  ])('%s becomes %j', (query, left) => {
    expect(without(query)).toBe(left);
  });

  it.each([
    '',
    'a=1',
    'a=%2F..&b=+%',
    'next_token=7&tokenize=1&tokens=3',
    'a=%zz&&b',
    '=x',
    'session_id=token',
  ])('%j stays as it is, byte for byte', (query) => {
    expect(without(query)).toBe(query);
  });

  it('never holds the caller’s own token, however its characters are written', () => {
    const spelt = fc
      .array(fc.boolean(), { minLength: 18, maxLength: 18 })
      .map((encoded) =>
        [...Buffer.from('s3cret-token.value')]
          .map((byte, i) => (encoded[i] === true ? `%${byte.toString(16)}` : String.fromCharCode(byte)))
          .join(''),
      );
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{1,8}$/),
        spelt,
        fc.stringMatching(/^[a-z0-9]{0,5}$/),
        (name, token, end) => {
          expect(without(`a=1&${name}=${token}${end}&b=2`)).toBe('a=1&b=2');
        },
      ),
    );
  });
});

describe('subprotocols', () => {
  it.each([
    [['v1.kernel.websocket.jupyter.org'], ['v1.kernel.websocket.jupyter.org']],
    [
      ['graphql-transport-ws', 'mqtt'],
      ['graphql-transport-ws', 'mqtt'],
    ],
    [['bearer', 'anything', 'v1'], ['v1']],
    [['v1', 'access_token', 'anything'], ['v1']],
    [['base64url.bearer.authorization.k8s.io.eA', 'v4.channel.k8s.io'], ['v4.channel.k8s.io']],
    [['openai-insecure-api-key.sk-1', 'realtime'], ['realtime']],
    [['eyJhbGciOi.eyJzdWIi.c2ln', 'v1'], ['v1']],
    [['x.s3cret-token.value', 'v1'], ['v1']],
    [['v1.token.websocket.jupyter.org', 'v1.token.websocket.jupyter.org.abc'], []],
  ])('%j become %j', (offered, left) => {
    expect(subprotocolsWithoutTokens(offered, headers.authorization)).toEqual(left);
  });
});
