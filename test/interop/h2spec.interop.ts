import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { TestGateway } from '../../src/gateway/testing/gateway.ts';
import { route, streamText, thingsSurface } from '../../src/gateway/testing/things-surface.ts';
import { goProgram, reasonOf, run } from './go-program.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

/** The cases send at once what must not follow a request; an answer that is quicker would close the stream before. */
const answerMilliseconds = 100;
/** How many there are in the release that `h2spec/go.mod` pins. */
const allCases = 146;

const list = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item)]).transform((value) => [value].flat());
const reportSchema = z.object({
  testsuites: z.object({
    testsuite: list(
      z.object({
        testcase: list(
          z.object({
            '@_package': z.string(),
            '@_classname': z.string(),
            failure: z.unknown().optional(),
            error: z.unknown().optional(),
            skipped: z.unknown().optional(),
          }),
        ).default([]),
      }),
    ),
  }),
});

/**
 * Where Lockstep differs from the words of the standard, each for a reason that `docs/conformance.md` gives. One that
 * passes is told as well, so that the list cannot outlive its reasons.
 */
const known: ReadonlySet<string> = new Set([
  'http2/5.1 closed: Sends a DATA frame after sending RST_STREAM frame',
  'http2/5.1 closed: Sends a HEADERS frame after sending RST_STREAM frame',
  'http2/5.1 closed: Sends a DATA frame',
  'http2/5.1 closed: Sends a HEADERS frame',
  'http2/5.1.1 Sends stream identifier that is numerically smaller than previous',
  'http2/5.3.1 Sends PRIORITY frame that depend on itself',
  'http2/6.1 Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
  'http2/6.3 Sends a PRIORITY frame with 0x0 stream identifier',
  'http2/6.7 Sends a PING frame with ACK',
  'http2/6.9.1 Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
]);

/** h2spec, unmodified, in its strict mode, against the listener and pipeline of the gateway over TLS. */
export const suite: InteropSuite = {
  name: 'h2spec (HTTP/2)',
  async run(context): Promise<InteropResult> {
    const tool = 'github.com/summerwind/h2spec/cmd/h2spec';
    const built = await goProgram(join(import.meta.dirname, 'h2spec'), context.cacheDirectory, tool);
    if ('missing' in built) return { passed: 0, failed: 0, skipped: 1, notes: [`skipped: ${built.missing}`] };
    const gateway = await openGateway();
    const report = join(context.cacheDirectory, 'h2spec.xml');
    rmSync(report, { force: true });
    try {
      const place = ['-h', 'localhost', '-p', String(gateway.port), '-P', '/anything'];
      // It says by its exit, too, whether all passed.
      await run(built.program, [...place, '-t', '-k', '-S', '-o', '5', '-j', report]).catch(
        (error: unknown) => {
          context.log(reasonOf(error).split('\n')[0] ?? '');
        },
      );
    } finally {
      await gateway.close();
    }
    return judged(readFileSync(report, 'utf8'));
  },
};

function judged(xml: string): InteropResult {
  const parsed: unknown = new XMLParser({ ignoreAttributes: false }).parse(xml);
  const cases = reportSchema.parse(parsed).testsuites.testsuite.flatMap(({ testcase }) => testcase);
  const notes: string[] = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const one of cases) {
    const name = `${one['@_package']} ${one['@_classname']}`.replaceAll('&#34;', '"');
    if (one.skipped !== undefined) counts.skipped++;
    else if ((one.failure ?? one.error) === undefined) {
      counts.passed++;
      if (known.has(name)) notes.push(`passes now, though it is listed as one that differs: ${name}`);
    } else {
      const isKnown = known.has(name);
      counts[isKnown ? 'skipped' : 'failed']++;
      notes.push(`${isKnown ? 'differs, as documented' : 'failed'}: ${name}`);
    }
  }
  if (cases.length !== allCases) {
    counts.failed++;
    notes.push(`failed: ${cases.length} cases were run, and there are ${allCases}`);
  }
  return { ...counts, notes };
}

/** h2spec has no token: what it asks for is anybody's. */
async function openGateway(): Promise<TestGateway> {
  const anybody = { guard: () => ({ kind: 'public', rule: 'h2spec', scope: '/' }) as const };
  return TestGateway.start({
    surfaces: [
      thingsSurface([
        route({
          ...anybody,
          method: 'GET',
          path: '/*',
          serve: async () => {
            await pause(answerMilliseconds);
            return { status: 200, body: 'answer' };
          },
        }),
        route({ ...anybody, method: 'HEAD', path: '/*' }),
        route({
          ...anybody,
          method: 'POST',
          path: '/*',
          body: { kind: 'streamed', maxBytes: 1e6 },
          serve: async (exchange) => ({ status: 200, body: `took ${(await streamText(exchange)).length}` }),
        }),
      ]),
    ],
  });
}
