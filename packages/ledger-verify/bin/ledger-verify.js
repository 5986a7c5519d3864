#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { directorySource } from '../dist/sources/directory-source.js';
import { httpSource } from '../dist/sources/http-source.js';
import { discloseEntry } from '../dist/verify/disclose.js';
import { walkKeys } from '../dist/verify/key-history.js';
import { openCheckpoint, policyOf } from '../dist/verify/open-checkpoint.js';
import { parsePolicy, trustOnly } from '../dist/verify/policy.js';
import { printableJson } from '../dist/verify/refusal.js';
import { verifyConsistency } from '../dist/verify/verify-consistency.js';
import { verifyLog } from '../dist/verify/verify-log.js';
import { verifyReceipt } from '../dist/verify/verify-receipt.js';

const usage = `usage: ledger-verify log DIRECTORY|ADDRESS [--whole] --policy FILE | --key VKEY
       ledger-verify receipt FILE [--disclosures FILE] --policy FILE | --key VKEY
       ledger-verify consistency OLDER-CHECKPOINT DIRECTORY|ADDRESS --policy FILE | --key VKEY
       ledger-verify keys DIRECTORY|ADDRESS --policy FILE | --key VKEY

VKEY is a key of the log, or a file that holds its keys, a line each; one of them is enough. --key may be said more than once.
--whole refuses a log that was pruned, which is taken otherwise under a statement that its key has signed.
Exit code 0: it verifies; 1: it does not, and why is said; 2: the command line is wrong.`;

try {
  if (process.argv.includes('--help') || process.argv.includes('-h')) console.log(usage);
  else process.exitCode = tell(await run());
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}

/** The verdict in a line, and beneath it what was proven. Answers the exit code. */
function tell(verdict) {
  if (!verdict.ok) {
    console.error(`not verified: ${verdict.reason}`);
    return 1;
  }
  const cosigned = verdict.cosignatures.map(({ witness }) => witness).join(', ');
  console.log(`verified: ${verdict.said}${cosigned === '' ? '' : `; cosigned by ${cosigned}`}`);
  if (verdict.shown !== undefined) console.log(verdict.shown);
  return 0;
}

async function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: 'string', multiple: true },
      policy: { type: 'string' },
      disclosures: { type: 'string' },
      whole: { type: 'boolean' },
    },
  });
  const trust = trustOf(values);
  const [what, first, second] = positionals;
  if (what === 'log' && first !== undefined) {
    const verdict = await verifyLog(sourceOf(first), trust, { whole: values.whole === true });
    return { ...verdict, said: verdict.ok ? saidOf(verdict) : '' };
  }
  if (what === 'receipt' && first !== undefined) {
    const verdict = verifyReceipt(readFileSync(first, 'utf8'), null, trust);
    if (!verdict.ok) return verdict;
    const { origin, index, entry } = verdict;
    if (values.disclosures === undefined) {
      return {
        ...verdict,
        said: `entry ${index} of ${origin}`,
        shown: printableJson(Buffer.from(entry).toString('utf8')).trimEnd(),
      };
    }
    const disclosed = discloseEntry(entry, readFileSync(values.disclosures, 'utf8'));
    if (!disclosed.ok) return disclosed;
    const shown = printableJson(disclosed.disclosed.flatMap(({ at }) => at).join(', '));
    return {
      ...verdict,
      said: `entry ${index} of ${origin}, and that it binds ${shown}`,
      shown: printableJson(JSON.stringify(disclosed.event)),
    };
  }
  if (what === 'consistency' && first !== undefined && second !== undefined) {
    const verdict = await verifyConsistency(sourceOf(second), readFileSync(first, 'utf8'), trust);
    const said = verdict.ok
      ? `${verdict.origin} has only grown, from ${verdict.oldSize} to ${verdict.newSize}`
      : '';
    return { ...verdict, said };
  }
  if (what === 'keys' && first !== undefined) return keysOf(sourceOf(first), policyOf(trust));
  throw new Error(usage);
}

/** From the keys that are trusted to those that sign now. */
async function keysOf(source, policy) {
  const text = async (path) => Buffer.from((await source.read(path)) ?? []).toString('utf8');
  const trusted = policy.logs.map(({ verifierKey }) => verifierKey);
  const walked = walkKeys(await text('key-history'), trusted);
  if (!walked.ok) return walked;
  const opened = openCheckpoint(await text('checkpoint'), { ...policy, logs: trustOnly(walked.onward).logs });
  if (!opened.ok) return opened;
  const signing = opened.signatures.filter(({ time }) => time === null).map(({ verifierKey }) => verifierKey);
  return { ...opened, said: `${opened.checkpoint.origin} signs with`, shown: signing.join('\n') };
}

function saidOf({ size, origin, firstIndex, retention }) {
  if (retention === null) return `${size} entries of ${origin}`;
  const { kept, time, policy } = retention;
  const there = kept > firstIndex ? `; ${kept - firstIndex} before what it keeps are still there` : '';
  const stated = `it stated ${new Date(time * 1000).toISOString()} that it keeps from ${kept} on: ${policy}`;
  return `${size - firstIndex} entries of ${origin}, from ${firstIndex} on${there}; ${stated}`;
}

function trustOf({ key, policy: file }) {
  if (file === undefined) {
    if (key === undefined) throw new Error(usage);
    return key.flatMap(keysIn);
  }
  const parsed = parsePolicy(readFileSync(file, 'utf8'));
  if (!parsed.ok) throw new Error(`${file} is not a policy: ${parsed.reason}`);
  return parsed.policy;
}

/** A key, several in lines, or the file that holds them. */
function keysIn(text) {
  const held = text.includes('+') ? text : readFileSync(text, 'utf8');
  return held.trim().split(/\s*\n\s*/);
}

function sourceOf(text) {
  return /^https?:/.test(text) ? httpSource(text) : directorySource(text);
}
