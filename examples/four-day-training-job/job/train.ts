// The training job. It knows nothing of Lockstep: Azure's SDK finds the identity, and renews it, by itself.
// Learns the species of a penguin from four measurements with a small neural network, writes a checkpoint every few
// seconds, then the model and its metric, and registers the model.
import { renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { AzureMachineLearningWorkspaces } from '@azure/arm-machinelearning';
import { DefaultAzureCredential } from '@azure/identity';
import { BlobClient, BlockBlobClient } from '@azure/storage-blob';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    output: { type: 'string', default: '' },
    forbidden: { type: 'string', default: '' },
    seconds: { type: 'string', default: '30' },
    leak: { type: 'boolean', default: false },
  },
});
const species = ['Adelie', 'Chinstrap', 'Gentoo'];
const features = ['bill_length_mm', 'bill_depth_mm', 'flipper_length_mm', 'body_mass_g'];
const hidden = 12;
const checkpointSeconds = 5;

const credential = new DefaultAzureCredential();
const rows = parseCsv((await new BlobClient(options.data, credential).downloadToBuffer()).toString('utf8'));
log('read', { rows: rows.length });
await tryTheWall();

const random = seededRandom(2007);
const { training, test } = split(standardise(rows));
const network = {
  hidden: Array.from({ length: hidden }, () =>
    Array.from({ length: features.length + 1 }, () => random() - 0.5),
  ),
  output: Array.from({ length: species.length }, () =>
    Array.from({ length: hidden + 1 }, () => random() - 0.5),
  ),
};

const deadline = Date.now() + Number(options.seconds) * 1000;
let epoch = 0;
let nextCheckpoint = Date.now() + checkpointSeconds * 1000;
do {
  const loss = trainOneEpoch();
  epoch += 1;
  if (Date.now() >= nextCheckpoint) {
    nextCheckpoint += checkpointSeconds * 1000;
    const checkpoint = JSON.stringify({ epoch, loss, network });
    await new BlockBlobClient(`${options.output}/checkpoint.json`, credential).uploadData(
      Buffer.from(checkpoint),
    );
    log('checkpoint', { epoch, loss: round(loss), accuracy: round(accuracy(test)) });
  }
  if (epoch % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
} while (Date.now() < deadline);

const metric = { accuracy: round(accuracy(test)), test_rows: test.length, epochs: epoch };
const modelUrl = `${options.output}/model.json`;
await new BlockBlobClient(modelUrl, credential).uploadData(
  Buffer.from(JSON.stringify({ features, species, network, metric })),
);
await new BlockBlobClient(`${options.output}/metrics.json`, credential).uploadData(
  Buffer.from(JSON.stringify(metric)),
);
log('model', metric);

const url = setting('LOCKSTEP_URL');
const ml = new AzureMachineLearningWorkspaces(credential, setting('AZUREML_ARM_SUBSCRIPTION'), {
  endpoint: url,
  credentialScopes: `${url}/.default`,
});
const registered = await ml.modelVersions.createOrUpdate(
  setting('AZUREML_ARM_RESOURCEGROUP'),
  setting('AZUREML_ARM_WORKSPACE_NAME'),
  'penguins',
  setting('AZUREML_RUN_ID'),
  {
    properties: {
      modelType: 'custom_model',
      modelUri: modelUrl,
      jobName: setting('AZUREML_RUN_ID'),
      properties: { accuracy: String(metric.accuracy) },
    },
  },
);
log('registered', { id: registered.id });
if (options.leak) await leaveTokenLyingAround();

/** A dataset that nobody gave this job. */
async function tryTheWall(): Promise<void> {
  if (options.forbidden === '') return;
  try {
    await new BlobClient(options.forbidden, credential).download();
    log('wall', { status: 200 });
  } catch (error) {
    const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
    log('wall', { status: statusCode, code, message });
  }
}

/** What careless jobs do. The story picks it up, to see what it is worth before and after the end of the job. */
async function leaveTokenLyingAround(): Promise<void> {
  const { token } = await credential.getToken('https://storage.azure.com/.default');
  writeFileSync('leaked-token.part', token, { mode: 0o600 });
  renameSync('leaked-token.part', 'leaked-token');
  await new Promise((resolve) => setTimeout(resolve, 1500));
}

interface Sample {
  readonly x: readonly number[];
  readonly label: number;
}

function parseCsv(text: string): Sample[] {
  const [header = '', ...lines] = text.trim().split('\n');
  const columns = header.split(',');
  return lines
    .map((line) => line.split(','))
    .map((cells) => ({
      x: features.map((feature) => Number(cells[columns.indexOf(feature)])),
      label: species.indexOf(cells[0] ?? ''),
    }))
    .filter((sample) => sample.x.every(Number.isFinite));
}

function standardise(samples: readonly Sample[]): Sample[] {
  const moments = features.map((_, i) => {
    const column = samples.map((sample) => sample.x[i] ?? 0);
    const mean = column.reduce((a, b) => a + b, 0) / column.length;
    return { mean, deviation: Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / column.length) };
  });
  return samples.map(({ x, label }) => ({
    x: x.map((value, i) => (value - (moments[i]?.mean ?? 0)) / (moments[i]?.deviation ?? 1)),
    label,
  }));
}

function split(samples: readonly Sample[]): { training: Sample[]; test: Sample[] } {
  const shuffled = samples.map((sample) => ({ sample, key: random() })).sort((a, b) => a.key - b.key);
  const cut = Math.floor(shuffled.length * 0.8);
  return {
    training: shuffled.slice(0, cut).map((s) => s.sample),
    test: shuffled.slice(cut).map((s) => s.sample),
  };
}

function forward(x: readonly number[]): { activations: number[]; probabilities: number[] } {
  const activations = network.hidden.map((weights) => Math.tanh(dot(weights, x)));
  const scores = network.output.map((weights) => dot(weights, activations));
  const highest = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - highest));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return { activations, probabilities: exponentials.map((e) => e / total) };
}

/** Stochastic gradient descent on the cross-entropy; returns the mean loss. */
function trainOneEpoch(): number {
  const rate = 0.01;
  let loss = 0;
  for (const { x, label } of training) {
    const { activations, probabilities } = forward(x);
    loss -= Math.log(Math.max(probabilities[label] ?? 0, 1e-12));
    const outputError = probabilities.map((p, k) => p - (k === label ? 1 : 0));
    const hiddenError = activations.map(
      (a, h) =>
        (1 - a * a) * outputError.reduce((sum, error, k) => sum + error * (network.output[k]?.[h] ?? 0), 0),
    );
    network.output.forEach((weights, k) => descend(weights, activations, rate * (outputError[k] ?? 0)));
    network.hidden.forEach((weights, h) => descend(weights, x, rate * (hiddenError[h] ?? 0)));
  }
  return loss / training.length;
}

function descend(weights: number[], inputs: readonly number[], step: number): void {
  inputs.forEach((input, i) => (weights[i] = (weights[i] ?? 0) - step * input));
  weights[inputs.length] = (weights[inputs.length] ?? 0) - step;
}

/** The last weight is the bias. */
function dot(weights: readonly number[], inputs: readonly number[]): number {
  return inputs.reduce((sum, input, i) => sum + input * (weights[i] ?? 0), weights[inputs.length] ?? 0);
}

function accuracy(samples: readonly Sample[]): number {
  const right = samples.filter(({ x, label }) => {
    const { probabilities } = forward(x);
    return probabilities.indexOf(Math.max(...probabilities)) === label;
  });
  return right.length / samples.length;
}

function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function log(event: string, facts: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ event, ...facts }));
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`this job needs ${name} in its environment`);
  return value;
}
