import { XMLParser } from 'fast-xml-parser';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBlockList } from './block-list-document.ts';
import { markerOf, parseMarker, parseMaxResults } from './paging.ts';
import { parseRange, resolveRange } from './ranges.ts';
import { parseQuery } from './request-rules.ts';
import { element, xmlDocument } from './xml.ts';

const id = Buffer.from('block').toString('base64');

function codeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return (error as { details?: { blobCode?: unknown } }).details?.blobCode ?? error;
  }
}

describe('a block list', () => {
  it('keeps its order across the three kinds', () => {
    const xml =
      `<?xml version="1.0" encoding="utf-8"?>\n<BlockList>\n <Latest>${id}</Latest>` +
      `<Committed>${id}</Committed><Uncommitted>${id}</Uncommitted><Latest>${id}</Latest></BlockList>`;
    expect(parseBlockList(Buffer.from(xml)).map(({ from }) => from)).toStrictEqual([
      'latest',
      'committed',
      'uncommitted',
      'latest',
    ]);
  });

  it('may be empty', () => {
    expect(parseBlockList(Buffer.from('<BlockList/>'))).toStrictEqual([]);
    expect(parseBlockList(Buffer.from('<BlockList></BlockList>'))).toStrictEqual([]);
  });

  it.each([
    ['', 'InvalidXmlDocument'],
    ['{}', 'InvalidXmlDocument'],
    ['<BlockList>', 'InvalidXmlDocument'],
    ['<BlockList></Blocklist>', 'InvalidXmlDocument'],
    ['<Other/>', 'InvalidXmlDocument'],
    ['<BlockList/><BlockList/>', 'InvalidXmlDocument'],
    [`<BlockList><Newest>${id}</Newest></BlockList>`, 'InvalidXmlDocument'],
    [`<BlockList>${id}</BlockList>`, 'InvalidXmlDocument'],
    [`<BlockList><Latest><b>${id}</b></Latest></BlockList>`, 'InvalidXmlDocument'],
    ['<BlockList><Latest/></BlockList>', 'InvalidXmlDocument'],
    [`<!DOCTYPE x [<!ENTITY e "${id}">]><BlockList><Latest>&e;</Latest></BlockList>`, 'InvalidXmlDocument'],
    ['<BlockList><Latest>&#66;lock</Latest></BlockList>', 'InvalidBlockId'],
    ['<BlockList><Latest>not base64!</Latest></BlockList>', 'InvalidBlockId'],
    [`<BlockList><Latest>${'QUFB'.repeat(22)}</Latest></BlockList>`, 'InvalidBlockId'],
    [`<BlockList>${`<Latest>${id}</Latest>`.repeat(50_001)}</BlockList>`, 'BlockListTooLong'],
  ])('%.80s is refused as %s', (xml, code) => {
    expect(codeOf(() => parseBlockList(Buffer.from(xml)))).toBe(code);
  });

  it('that is not UTF-8 is refused', () => {
    expect(codeOf(() => parseBlockList(Buffer.from([0x3c, 0xff, 0x3e])))).toBe('InvalidXmlDocument');
  });
});

describe('XML that is written', () => {
  it('reads back as it was, whatever the text', () => {
    const parser = new XMLParser({
      parseTagValue: false,
      trimValues: false,
      ignoreAttributes: false,
      htmlEntities: true,
    });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const read: unknown = parser.parse(xmlDocument(element('A', text, { b: text })));
        // eslint-disable-next-line no-control-regex
        const kept = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
        expect(read).toMatchObject({ A: { '@_b': kept, ...(text === '' ? {} : { '#text': kept }) } });
      }),
    );
  });

  it('cannot be broken out of', () => {
    expect(xmlDocument(element('A', `</A><B x="'">&amp;\u0000`))).toBe(
      '<?xml version="1.0" encoding="utf-8"?><A>&lt;/A&gt;&lt;B x=&quot;&apos;&quot;&gt;&amp;amp;\ufffd</A>',
    );
    expect(() => xmlDocument(element('A><B', ''))).toThrow('name');
  });
});

describe('a range', () => {
  it.each([
    ['bytes=0-', 10, { start: 0, end: 9 }],
    ['bytes=3-5', 10, { start: 3, end: 5 }],
    ['bytes=3-500', 10, { start: 3, end: 9 }],
    ['bytes=10-', 10, 'InvalidRange'],
    ['bytes=0-', 0, 'InvalidRange'],
    ['bytes=5-3', 10, 'InvalidHeaderValue'],
    ['bytes=-3', 10, 'InvalidHeaderValue'],
    ['bytes=0-1,3-4', 10, 'InvalidHeaderValue'],
    ['items=0-1', 10, 'InvalidHeaderValue'],
    ['bytes=0-99999999999999999999', 10, 'InvalidHeaderValue'],
  ])('%s of %d bytes: %j', (range, size, outcome) => {
    expect(
      codeOf(() => {
        const asked = parseRange({ range: 'bytes=1-1', 'x-ms-range': range });
        return asked === null ? null : resolveRange(asked, size);
      }),
    ).toStrictEqual(outcome);
  });
});

describe('a marker', () => {
  it('comes back as the name that it stands for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(name.isWellFormed());
        expect(parseMarker(new Map([['marker', markerOf(name)]]))).toBe(name);
      }),
    );
  });

  it.each(['x', '1!', '1!*', '1!YQ==', '2!YQ', '1!/w'])('%j, which no listing gave, is refused', (marker) => {
    expect(codeOf(() => parseMarker(new Map([['marker', marker]])))).toBe('InvalidQueryParameterValue');
  });
});

describe('a query', () => {
  it.each(['a=1&a=2', 'comp=list&comp=block', '=x', 'a=%zz', 'a=%ff', '%61=1&a=2'])(
    '%j is refused',
    (raw) => {
      expect(codeOf(() => parseQuery(raw))).toBe('InvalidQueryParameterValue');
    },
  );

  it('has each parameter once, decoded once', () => {
    expect(parseQuery('prefix=a%2Fb+c%252F&x')).toStrictEqual(
      new Map([
        ['prefix', 'a/b c%2F'],
        ['x', ''],
      ]),
    );
  });

  it.each(['0', '-1', 'x', '1e3', ''])('refuses maxresults=%j', (text) => {
    expect(codeOf(() => parseMaxResults(new Map([['maxresults', text]])))).toBe(
      'OutOfRangeQueryParameterValue',
    );
  });
});
