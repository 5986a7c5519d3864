import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { z } from 'zod';
import { blobFailure } from './errors.ts';
import type { BlockChoice } from './store.ts';

/** learn.microsoft.com/rest/api/storageservices/put-block-list: at most 50,000 blocks in a blob. */
const maxBlocks = 50_000;

const parser = new XMLParser({
  preserveOrder: true,
  processEntities: false,
  ignoreDeclaration: true,
  parseTagValue: false,
  trimValues: true,
});

const text = z.tuple([z.strictObject({ '#text': z.string() })]);
const choice = z.union([
  z.strictObject({ Committed: text }).transform(({ Committed: [node] }) => of('committed', node['#text'])),
  z
    .strictObject({ Uncommitted: text })
    .transform(({ Uncommitted: [node] }) => of('uncommitted', node['#text'])),
  z.strictObject({ Latest: text }).transform(({ Latest: [node] }) => of('latest', node['#text'])),
]);
const document = z.tuple([z.strictObject({ BlockList: z.array(choice) })]);

/**
 * The body of Put Block List, in its order. Entities, document types, attributes and unknown elements are refused.
 * Throws InvalidXmlDocument, InvalidBlockId, BlockListTooLong.
 */
export function parseBlockList(body: Buffer): readonly BlockChoice[] {
  let xml: string;
  try {
    xml = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalid('The block list is not UTF-8.');
  }
  if (xml.includes('<!')) throw invalid('A block list has no document type, comment or CDATA section.');
  if (XMLValidator.validate(xml) !== true) throw invalid('The block list is not well-formed XML.');
  const parsed = document.safeParse(parser.parse(xml));
  if (!parsed.success) {
    throw invalid('A block list is <BlockList> with <Committed>, <Uncommitted> and <Latest> elements in it.');
  }
  const [{ BlockList: choices }] = parsed.data;
  if (choices.length > maxBlocks) {
    throw blobFailure('BlockListTooLong', `A blob has at most ${maxBlocks} blocks.`);
  }
  for (const { id } of choices) checkBlockId(id);
  return choices;
}

/** Throws InvalidBlockId unless it is base64 of 1 to 64 bytes. */
export function checkBlockId(id: string): string {
  const bytes = Buffer.from(id, 'base64');
  if (bytes.length === 0 || bytes.length > 64 || bytes.toString('base64') !== id) {
    throw blobFailure('InvalidBlockId', 'A block id is 1 to 64 bytes in base64.');
  }
  return id;
}

function of(from: BlockChoice['from'], id: string): BlockChoice {
  return { from, id };
}

function invalid(sentence: string) {
  return blobFailure('InvalidXmlDocument', sentence);
}
