import { createHash } from 'node:crypto';
import type { Acknowledged, JobPlan } from './acknowledged.ts';
import { Unexpected, untilAnswered } from './actor.ts';
import type { Answer } from './client.ts';
import { cancel, submit, type Dataset } from './jobs.ts';
import type { SeededRandom } from './random.ts';
import type { Stage } from './stage.ts';
import { armResource, storageResource, WorkloadTokens } from './tokens.ts';

const blobVersion = { 'x-ms-version': '2025-11-05' };
const mostRenewing = 2;

/** A CI run without end: exchanges, uploads, registers, submits, cancels, runs into the wall, reads back. */
export class CiActor {
  readonly #stage: Stage;
  readonly #acknowledged: Acknowledged;
  readonly #random: SeededRandom;
  readonly #runsDirectory: string;
  readonly #tokens: WorkloadTokens;
  readonly #contents = new Map<string, Buffer>();
  #count = 0;
  #jobs = 0;
  #dataset: Dataset | null = null;
  /** When each renewing job is over, about. */
  #renewing: number[] = [];

  constructor(stage: Stage, acknowledged: Acknowledged, random: SeededRandom, runsDirectory: string) {
    this.#stage = stage;
    this.#acknowledged = acknowledged;
    this.#random = random;
    this.#runsDirectory = runsDirectory;
    this.#tokens = new WorkloadTokens(stage, stage.ci, acknowledged);
  }

  readonly turn = async (): Promise<void> => {
    const storage = await this.#tokens.exchange(storageResource);
    this.#dataset ??= await this.#upload(storage, 'kill/dataset.bin', 40_000);
    await this.#upload(storage, `kill/${++this.#count}.bin`, this.#random.between(1, 30_000));
    await this.#uploadInBlocks(storage, `kill/${this.#count}-blocks.bin`);
    await this.#roll(storage);
    const arm = await this.#tokens.exchange(armResource);
    await this.#register(arm);
    await this.#wall(storage);
    await this.#readBack(storage);
    await this.#replay();
  };

  /** Beside the other turn: one more job. */
  readonly jobTurn = async (): Promise<void> => {
    if (this.#dataset === null) return;
    await this.#job(await this.#tokens.exchange(armResource), this.#dataset);
  };

  async #upload(token: string, name: string, length: number): Promise<Dataset> {
    const content = this.#random.bytes(length);
    await this.#put(token, name, '', content, { 'x-ms-blob-type': 'BlockBlob' });
    return this.#kept(name, content);
  }

  async #uploadInBlocks(token: string, name: string): Promise<void> {
    const blocks = [this.#random.bytes(2_000), this.#random.bytes(3_000)];
    const ids = blocks.map((_, i) => Buffer.from(`block-${i}`).toString('base64'));
    for (const [i, block] of blocks.entries()) {
      await this.#put(token, name, `?comp=block&blockid=${encodeURIComponent(ids[i] ?? '')}`, block);
    }
    const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
    await this.#put(token, name, '?comp=blocklist', Buffer.from(list), { 'content-type': 'application/xml' });
    this.#kept(name, Buffer.concat(blocks));
  }

  async #roll(token: string): Promise<void> {
    const version = (this.#acknowledged.rolling.attempted += 1);
    const content = Buffer.from(`version ${version}`);
    await this.#put(token, 'kill/rolling.txt', '', content, { 'x-ms-blob-type': 'BlockBlob' });
    this.#acknowledged.rolling.acknowledged = version;
  }

  async #put(
    token: string,
    name: string,
    query: string,
    body: Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const answer = await untilAnswered(() =>
      this.#stage.client.send('PUT', `${this.#blob(name)}${query}`, {
        token,
        body,
        headers: { ...blobVersion, ...headers },
      }),
    );
    if (answer.status !== 201) throw new Unexpected(`writing ${name}${query}`, answer);
  }

  #kept(name: string, content: Buffer): Dataset {
    const sha256 = createHash('sha256').update(content).digest('hex');
    this.#contents.set(name, content);
    this.#acknowledged.blobs.set(name, sha256);
    return { path: name, sha256 };
  }

  async #register(token: string): Promise<void> {
    const id = `${this.#stage.workspace}/data/measurements/versions/${this.#count}`;
    const body = { properties: { dataType: 'uri_file', dataUri: this.#uri(`kill/${this.#count}.bin`) } };
    const answer = await untilAnswered(() =>
      this.#stage.client.send('PUT', `${id}?api-version=2024-10-01`, { token, body }),
    );
    if (answer.status >= 300) throw new Unexpected(`registering ${id}`, answer);
    this.#acknowledged.resources.add(id.toLowerCase());
  }

  async #job(token: string, dataset: Dataset): Promise<void> {
    const plan = this.#plan();
    const seconds = plan === 'renews' ? this.#random.between(6, 14) : 0;
    const name = `${plan}-${++this.#jobs}`;
    const runsDirectory = this.#runsDirectory;
    const job = await submit(this.#stage, this.#acknowledged, {
      token,
      name,
      plan,
      runsDirectory,
      dataset,
      seconds,
    });
    if (plan === 'renews') this.#renewing.push(Date.now() + seconds * 1000 + 2_000);
    if (plan === 'is-canceled') await cancel(this.#stage, token, job);
  }

  #plan(): JobPlan {
    this.#renewing = this.#renewing.filter((until) => until > Date.now());
    if (this.#renewing.length < mostRenewing) return 'renews';
    if (this.#random.chance(0.2)) return 'is-canceled';
    return this.#random.chance(0.25) ? 'fails' : 'succeeds';
  }

  async #wall(token: string): Promise<void> {
    const path = `/${this.#stage.storageAccount}/forbidden/${this.#count}.csv`;
    const answer = await untilAnswered(() =>
      this.#stage.client.send('GET', path, { token, headers: blobVersion }),
    );
    const decision = /dec_[0-9a-z]{26}/.exec(answer.text())?.[0];
    if (answer.status !== 403 || decision === undefined) throw new Unexpected(`the wall at ${path}`, answer);
    this.#acknowledged.decisions.set(decision, path);
  }

  async #readBack(token: string): Promise<void> {
    const names = [...this.#contents.keys()];
    const name = names[this.#random.between(0, names.length - 1)] ?? '';
    const answer = await untilAnswered(() =>
      this.#stage.client.send('GET', this.#blob(name), { token, headers: blobVersion }),
    );
    if (answer.status !== 200) throw new Unexpected(`reading ${name}`, answer);
    if (!answer.bytes.equals(this.#contents.get(name) ?? Buffer.alloc(0))) {
      this.#acknowledged.surprises.push(`${name} does not hold what was written`);
    }
  }

  /** An assertion that was exchanged is worth nothing, in this life of the gateway or the next. */
  async #replay(): Promise<void> {
    const used = this.#acknowledged.assertions;
    const assertion = used[this.#random.between(Math.max(0, used.length - 20), used.length - 1)] ?? '';
    const answer: Answer = await untilAnswered(() => this.#tokens.present(assertion, storageResource));
    if (answer.status < 400) this.#acknowledged.surprises.push('an assertion was exchanged twice');
  }

  #blob(name: string): string {
    return `/${this.#stage.storageAccount}/azureml-blobstore/${name}`;
  }

  #uri(name: string): string {
    return `azureml://datastores/workspaceblobstore/paths/${name}`;
  }
}
