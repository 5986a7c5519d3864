// The four-day training job, in under two minutes: every line printed is read from what the log recorded or what a
// client received. `playStory` throws at the first step that does not come out as told.
import { mkdtempSync, readFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { addMember, assembleCast, removeMember, type Cast, type Place } from './cast.ts';
import { EventReader, type LoggedEvent } from './event-reader.ts';
import { LockstepClient } from './lockstep-client.ts';
import { lockstep, run, startCiIssuer, type CiIssuer } from './processes.ts';

export interface Scale {
  /** Life of the jobs' tokens in the story. */
  readonly tokenSeconds: number;
  readonly trainSeconds: number;
  readonly archiveMegabytes: number;
}

export const defaultScale: Scale = { tokenSeconds: 8, trainSeconds: 30, archiveMegabytes: 128 };

export interface Stage {
  readonly url: string;
  readonly home: string;
  readonly caFile: string;
  readonly place: Omit<Place, 'issuer'>;
  readonly ledgerVerifierKey: string;
  /** A token of the administrator for a resource. */
  token(resource: string): Promise<string>;
  /** Environment in which the CLI is signed in as the administrator. */
  readonly cli: Readonly<Record<string, string>>;
  readonly scale: Scale;
  title(text: string): void;
  line(text: string): void;
  /** One event of the log, as it was recorded. */
  event(event: LoggedEvent): void;
}

/** What the steps brought to light; the automated test looks at these. */
export interface StoryFacts {
  readonly jobName: string;
  readonly secondJobName: string;
  readonly renewals: number;
  readonly accuracy: number;
  readonly wall: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
    readonly decisionId: string;
  };
  readonly explanation: string;
  readonly refusedAfterEndMilliseconds: number;
  readonly cutMilliseconds: number;
  readonly renewalRefusedMilliseconds: number;
  readonly receiptFile: string;
  readonly verified: string;
}

export async function playStory(stage: Stage): Promise<StoryFacts> {
  const ca = readFileSync(stage.caFile, 'utf8');
  const admin = new LockstepClient(stage.url, ca, (resource) => stage.token(resource));
  const issuer = await startCiIssuer();
  try {
    const cast = await assembleCast(admin, { ...stage.place, issuer: issuer.issuer });
    return await new Story(stage, admin, issuer, cast, ca).play();
  } finally {
    issuer.stop();
    await admin.close();
  }
}

class Story {
  readonly #stage: Stage;
  readonly #admin: LockstepClient;
  readonly #issuer: CiIssuer;
  readonly #cast: Cast;
  readonly #ca: string;
  readonly #events: EventReader;

  constructor(stage: Stage, admin: LockstepClient, issuer: CiIssuer, cast: Cast, ca: string) {
    this.#stage = stage;
    this.#admin = admin;
    this.#issuer = issuer;
    this.#cast = cast;
    this.#ca = ca;
    this.#events = new EventReader(admin);
  }

  async play(): Promise<StoryFacts> {
    const stage = this.#stage;
    await this.#events.skipToPresent();
    const stamp = Date.now().toString(36);
    const jobName = `penguins-${stamp}`;

    stage.title('1  No secret: a CI run proves itself by its own token');
    await this.#showTrust();
    stage.title('2  The official clients: data, code, environment, job');
    await this.#ciRun('train', jobName);

    stage.title('3  The job’s own identity');
    const log = await this.#watchJob(jobName);
    const endOfToken = log.refusedAfterEndMilliseconds;
    const renewals = await this.#renewals(jobName);
    stage.line(`the job used ${renewals} tokens of ${stage.scale.tokenSeconds} s each, without noticing`);
    require(renewals >= 4, `the job should have crossed at least 3 expiries, it renewed ${renewals} times`);

    stage.title('4  The wall: a dataset that nobody gave the job');
    const wall = this.#wall(log.lines);
    stage.line(`the job received: ${wall.status} ${wall.code}`);
    const explained = await lockstep(['explain', wall.decisionId], stage.cli);
    require(explained.exitCode === 0, `lockstep explain failed: ${explained.stderr}`);
    stage.line(`$ lockstep explain ${wall.decisionId}`);
    for (const text of explained.stdout.trimEnd().split('\n')) stage.line(`  ${text}`);

    stage.title('5  The end: what was the job’s ends with the job');
    stage.line(
      `a token that the job had left lying around: refused ${endOfToken} ms after the end, though unexpired`,
    );
    require(endOfToken <= 1000, `the token was still good ${endOfToken} ms after the end of the job`);
    const secondJobName = `scan-${stamp}`;
    await this.#ciRun('scan', secondJobName);
    const cut = await this.#leave(secondJobName);

    stage.title('6  The proof');
    const proof = await this.#prove(wall.decisionId);
    return {
      jobName,
      secondJobName,
      renewals,
      accuracy: this.#accuracy(log.lines),
      wall,
      explanation: explained.stdout,
      refusedAfterEndMilliseconds: endOfToken,
      ...cut,
      ...proof,
    };
  }

  /** What the token service will go by: read back from the directory. */
  async #showTrust(): Promise<void> {
    const { id } = this.#cast.ci;
    const application = await this.#admin.get<{
      displayName: string;
      passwordCredentials: unknown[];
    }>(`/v1.0/applications/${id}`);
    const { value } = await this.#admin.get<{
      value: { issuer: string; lockstepClaims: Record<string, string> }[];
    }>(`/v1.0/applications/${id}/federatedIdentityCredentials`);
    const secrets = application.passwordCredentials.length;
    require(secrets === 0 &&
      value.length === 1, 'the CI application should have one federated credential and no secret');
    this.#stage.line(
      `${application.displayName} has ${secrets} secrets and ${value.length} federated credential:`,
    );
    for (const { issuer, lockstepClaims } of value) {
      this.#stage.line(
        `  tokens of ${issuer} with ${Object.entries(lockstepClaims)
          .map(([claim, expected]) => `${claim} = ${expected}`)
          .join(', ')}`,
      );
    }
  }

  async #ciRun(scenario: 'train' | 'scan', jobName: string): Promise<void> {
    const { url, caFile, place, scale } = this.#stage;
    const { requestUrl, requestToken } = this.#issuer.runs['production'] ?? {
      requestUrl: '',
      requestToken: '',
    };
    const finished = await run(
      join(import.meta.dirname, 'ci-run.ts'),
      [],
      {
        NODE_EXTRA_CA_CERTS: caFile,
        ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
        LOCKSTEP_URL: url,
        TENANT_ID: place.tenantId,
        CLIENT_ID: this.#cast.ci.appId,
        SUBSCRIPTION_ID: place.subscriptionId,
        RESOURCE_GROUP: place.resourceGroup,
        WORKSPACE: place.workspace,
        SCENARIO: scenario,
        JOB_NAME: jobName,
        TOKEN_SECONDS: String(scale.tokenSeconds),
        TRAIN_SECONDS: String(scale.trainSeconds),
        ARCHIVE_MEGABYTES: String(scale.archiveMegabytes),
        FORBIDDEN_URL: `${url}/${place.storageAccount}/field-notes/nests/positions.csv`,
      },
      (text) => this.#stage.line(`ci  ${shortened(text)}`),
    );
    require(finished.exitCode === 0, `the CI run failed:\n${finished.stderr}`);
    await this.#tell();
  }

  /** Follows the job to its end, shows its log, and tries the token that it left lying around. */
  async #watchJob(
    jobName: string,
  ): Promise<{ lines: readonly string[]; refusedAfterEndMilliseconds: number }> {
    const { home, place, url } = this.#stage;
    const directory = join(home, 'jobs', jobName);
    const dataset = `/${place.storageAccount}/azureml-blobstore/penguins/penguins.csv`;
    let shown = 0;
    let thief: LockstepClient | null = null;
    let expiresAt = 0;
    for (;;) {
      const lines = readLines(join(directory, 'user_logs', 'std_log.txt'));
      for (; shown < lines.length; shown++) this.#stage.line(`job ${shortened(lines[shown] ?? '')}`);
      await this.#tell();
      const leaked = thief === null ? leakedToken(directory) : null;
      if (leaked !== null) {
        expiresAt = expiryOf(leaked);
        thief = new LockstepClient(url, this.#ca, async () => leaked);
        const { status } = await thief.send('HEAD', dataset, undefined, { 'x-ms-version': '2025-11-05' });
        require(status === 200, `the leaked token should be good while the job lives, it got ${status}`);
      }
      const { status, endTime } = await this.#jobStatus(jobName);
      if (['Completed', 'Failed', 'Canceled'].includes(status)) {
        require(status === 'Completed', `the job ${jobName} ended as ${status}:\n${lines.join('\n')}`);
        require(thief !== null, 'the job left no token');
        const refusedAt = await untilRefused(thief, dataset);
        require(refusedAt <
          expiresAt * 1000, 'the leaked token had expired; nothing is shown by its refusal');
        await thief.close();
        return {
          lines: readLines(join(directory, 'user_logs', 'std_log.txt')),
          refusedAfterEndMilliseconds: Math.max(0, refusedAt - endTime),
        };
      }
      await pause(100);
    }
  }

  async #jobStatus(jobName: string): Promise<{ status: string; endTime: number }> {
    const { properties } = await this.#admin.get<{
      properties: { status: string; properties?: Record<string, string>; endTime?: string };
    }>(`${this.#cast.scopes.workspace}/jobs/${jobName}?api-version=2024-10-01`);
    const ended = properties.endTime ?? properties.properties?.['EndTimeUtc'];
    return { status: properties.status, endTime: ended === undefined ? Date.now() : Date.parse(ended) };
  }

  async #renewals(jobName: string): Promise<number> {
    await this.#tell();
    return this.#events.seen.filter(
      (event) => event.activity === 'token-renewal' && event.allowed && event.jobName === jobName,
    ).length;
  }

  #wall(lines: readonly string[]): StoryFacts['wall'] {
    const wall = jobEvent(lines, 'wall');
    const message = textOf(wall?.['message']);
    const decisionId = /dec_[0-9a-z]{26}/.exec(message)?.[0] ?? '';
    require(wall?.['status'] === 403, `the wall should answer 403: ${JSON.stringify(wall)}`);
    require(decisionId !== '', `the refusal names no decision: ${message}`);
    return { status: 403, code: textOf(wall?.['code']), message, decisionId };
  }

  #accuracy(lines: readonly string[]): number {
    return Number(jobEvent(lines, 'model')?.['accuracy'] ?? 0);
  }

  /** The owner leaves the group while the job streams. */
  async #leave(jobName: string): Promise<{ cutMilliseconds: number; renewalRefusedMilliseconds: number }> {
    const { ada, engineers } = this.#cast;
    const logFile = join(this.#stage.home, 'jobs', jobName, 'user_logs', 'std_log.txt');
    await this.#untilStreaming();
    this.#stage.line('Ada leaves ml-engineers while her job streams');
    const left = Date.now();
    await removeMember(this.#admin, engineers, ada);
    try {
      const cut = await untilJobEvent(logFile, 'cut', 15_000);
      const refused = await untilJobEvent(logFile, 'renewal-refused', 15_000);
      const times = {
        cutMilliseconds: Number(cut['at']) - left,
        renewalRefusedMilliseconds: Number(refused['at']) - left,
      };
      this.#stage.line(`job ${JSON.stringify(cut)}`);
      this.#stage.line(`job ${JSON.stringify(refused)}`);
      await this.#tell();
      this.#stage.line(
        `the stream was cut after ${times.cutMilliseconds} ms, renewal refused after ${times.renewalRefusedMilliseconds} ms`,
      );
      require(times.cutMilliseconds <= 1000, 'the stream should be cut within 1 s');
      require(times.renewalRefusedMilliseconds <= 1000, 'renewal should be refused within 1 s');
      return times;
    } finally {
      await addMember(this.#admin, engineers, ada);
    }
  }

  async #untilStreaming(): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      const { value } = await this.#admin.get<{ value: { scope: string | null; bytes: number | null }[] }>(
        '/admin/v1/sessions?all=true',
      );
      if (value.some(({ scope, bytes }) => scope?.endsWith('survey/archive.bin') && (bytes ?? 0) > 4_000_000))
        return;
      await pause(50);
    }
    throw new StoryError('the second job never began to stream');
  }

  async #prove(decisionId: string): Promise<{ receiptFile: string; verified: string }> {
    const { cli, home, ledgerVerifierKey } = this.#stage;
    const whole = await this.#cliLine(
      ['ledger', 'verify', join(home, 'ledger'), '--key', ledgerVerifierKey],
      cli,
    );
    const event = this.#events.seen.find((seen) => seen.decisionId === decisionId);
    require(event !== undefined, `the decision ${decisionId} is not in the log`);
    const empty = mkdtempSync(join(tmpdir(), 'lockstep-stranger-'));
    const receiptFile = join(home, 'example-receipt.tlog-proof');
    await this.#cliLine(['ledger', 'receipt', event?.id ?? '', '--out', receiptFile], cli);
    writeFileSync(join(empty, 'receipt.tlog-proof'), readFileSync(receiptFile));
    this.#stage.line('on a machine that has only the receipt and the log’s public key:');
    await this.#cliLine(
      ['ledger', 'verify', '--receipt', 'receipt.tlog-proof', '--key', ledgerVerifierKey],
      { HOME: empty },
      empty,
    );
    rmSync(empty, { recursive: true });
    return { receiptFile, verified: whole };
  }

  async #cliLine(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    cwd?: string,
  ): Promise<string> {
    const shown = args.map((argument) => (argument.includes('+') ? '"$KEY"' : argument)).join(' ');
    this.#stage.line(`$ lockstep ${shown}`);
    const { exitCode, stdout, stderr } = await lockstep(args, environment, cwd);
    for (const text of stdout.trimEnd().split('\n')) this.#stage.line(`  ${text}`);
    require(exitCode === 0, `lockstep ${args[0]} ${args[1]} failed: ${stderr}`);
    return stdout;
  }

  /** Prints what the log has recorded since. */
  async #tell(): Promise<void> {
    for (const event of await this.#events.next()) this.#stage.event(event);
  }
}

export class StoryError extends Error {}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function require(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new StoryError(otherwise);
}

async function untilRefused(thief: LockstepClient, path: string): Promise<number> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const { status } = await thief.send('HEAD', path, undefined, { 'x-ms-version': '2025-11-05' });
    if (status === 401 || status === 403) return Date.now();
    await pause(20);
  }
  throw new StoryError('the leaked token was never refused');
}

async function untilJobEvent(
  file: string,
  event: string,
  milliseconds: number,
): Promise<Readonly<Record<string, unknown>>> {
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline) {
    const found = jobEvent(readLines(file), event);
    if (found !== null) return found;
    await pause(50);
  }
  throw new StoryError(`the job did not report "${event}":\n${readLines(file).join('\n')}`);
}

/** Resource ids without what is the same in all of them. */
function shortened(text: string): string {
  return text.replaceAll(/\/subscriptions\/[^/"]+\/resourceGroups\/[^/"]+\/providers\//gi, '…/');
}

function jobEvent(lines: readonly string[], event: string): Readonly<Record<string, unknown>> | null {
  for (const line of lines) {
    if (!line.startsWith('{')) continue;
    const parsed = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (parsed['event'] === event) return parsed;
  }
  return null;
}

function readLines(file: string): string[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '');
}

function leakedToken(directory: string): string | null {
  for (const file of [join(directory, 'leaked-token'), join(directory, 'code', 'leaked-token')]) {
    if (existsSync(file)) return readFileSync(file, 'utf8');
  }
  return null;
}

function expiryOf(token: string): number {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    exp: number;
  };
  return claims.exp;
}
