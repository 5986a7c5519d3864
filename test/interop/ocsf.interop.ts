import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { playStory } from '../../examples/four-day-training-job/story.ts';
import { entryOf } from '../../src/ledger/catalogue/entry.ts';
import type { Fact } from '../../src/ledger/events.ts';
import { attribution } from '../../src/ledger/testing/ledger-fixture.ts';
import { sampleChanges, sampleRequestFacts, sampleVariants } from '../../src/ledger/testing/sample-facts.ts';
import { newEventId } from '../../src/lib/ids.ts';
import { openHouse } from '../e2e/house.ts';
import { Checks } from './checks.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

type Members = Record<string, unknown>;

/** Every kind of event, and all events of the played story, judged by OCSF's published schema in foreign hands. */
export const suite: InteropSuite = {
  name: 'ocsf (ocsf-json-schema, jsonschema)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'ocsf', (line) => context.log(line));
    if (venv === null)
      return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: no Python with the judge'] };
    const checks = new Checks(context);

    const samples = allFacts().map((fact) => parsed(entry(fact)));
    await checks.check(`a sample of every kind of event is valid (${samples.length})`, () =>
      mustBeValid(venv, samples),
    );
    await checks.check('the judge refuses each of several wrong events', async () => {
      const verdicts = await judged(venv, wrongEvents(samples));
      const passed = verdicts.flatMap((errors, index) => (errors.length === 0 ? [index] : []));
      if (passed.length > 0) throw new Error(`it let pass those at ${passed.join(', ')}`);
    });
    await checks.check('every event of the played story is valid', async () => {
      const house = await openHouse({ tokenSeconds: 5, trainSeconds: 17, archiveMegabytes: 64 });
      try {
        await playStory(house.stage);
        const { ledger } = house.lockstep.foundation;
        const events: Members[] = [];
        for (let after = 0; ;) {
          const page = await ledger.eventsAfter(after, 1_000);
          events.push(...page.map((row) => parsed(row.told)));
          after = page.at(-1)?.sequence ?? after;
          if (page.length < 1_000) break;
        }
        const kinds = new Set(
          events.map(
            (event) => z.looseObject({ event_code: z.string() }).parse(event['metadata']).event_code,
          ),
        );
        context.log(`${events.length} events of ${kinds.size} kinds`);
        if (events.length < 100 || kinds.size < 15) throw new Error('the story left too few events');
        await mustBeValid(venv, events);
      } finally {
        await house.close();
      }
    });
    return checks.result();
  },
};

function allFacts(): Fact[] {
  const changes = [...Object.values(sampleChanges), ...sampleVariants];
  return [
    ...sampleRequestFacts,
    ...changes.map((change): Fact => ({ kind: 'change', attribution: attribution(), change })),
  ];
}

function entry(fact: Fact): Uint8Array {
  const time = Date.now();
  return entryOf(fact, {
    id: newEventId(time),
    time,
    origin: 'log.test',
    productVersion: '0.0.0',
    position: null,
  }).bytes;
}

function parsed(bytes: Uint8Array): Members {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
}

/** Each with one thing wrong. */
function wrongEvents([event = {}]: readonly Members[]): Members[] {
  const { time: _time, ...timeless } = event;
  return [
    { ...event, lockstep: true },
    { ...event, metadata: { ...z.looseObject({}).parse(event['metadata']), colour: 'red' } },
    { ...event, metadata: { ...z.looseObject({}).parse(event['metadata']), profiles: [] } },
    { ...event, activity_id: 1_000 },
    { ...event, severity_id: 'high' },
    timeless,
    { ...event, actor: {} },
    { ...event, src_endpoint: { ip: 'not an address' } },
    { ...event, class_uid: 9_999 },
  ];
}

async function mustBeValid(venv: string, events: readonly Members[]): Promise<void> {
  const verdicts = await judged(venv, events);
  const wrong = verdicts.flatMap((errors, index) =>
    errors.length === 0 ? [] : [`${JSON.stringify(events[index]).slice(0, 400)}: ${errors.join('; ')}`],
  );
  if (wrong.length > 0) throw new Error(`${wrong.length} are not:\n${wrong.slice(0, 5).join('\n')}`);
}

/** What the judge has against each. */
async function judged(venv: string, events: readonly Members[]): Promise<string[][]> {
  const program = join(import.meta.dirname, 'ocsf', 'judge.py');
  const output = await new Promise<string>((resolve, reject) => {
    const options = { env: { PATH: '/usr/bin:/bin' }, maxBuffer: 64 * 1024 * 1024, timeout: 300_000 };
    const child = execFile(join(venv, 'bin', 'python'), [program], options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
    child.stdin?.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  });
  const verdicts = output
    .trimEnd()
    .split('\n')
    .map((line) => z.array(z.string()).parse(JSON.parse(line)));
  if (verdicts.length !== events.length)
    throw new Error(`${verdicts.length} verdicts on ${events.length} events`);
  return verdicts;
}
