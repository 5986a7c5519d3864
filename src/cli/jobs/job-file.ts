import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { nearestKey } from '../../config/nearest-key.ts';
import { CliError } from '../cli-error.ts';
import { parseYaml } from './yaml.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const texts = z.record(z.string(), scalar.transform(String));
const assetTypes = [
  'uri_file',
  'uri_folder',
  'mltable',
  'custom_model',
  'mlflow_model',
  'triton_model',
] as const;
const inputModes = ['direct', 'download', 'ro_mount', 'eval_download', 'eval_mount'] as const;

const input = z.union([
  scalar.transform((value) => ({ literal: String(value) })),
  z.strictObject({
    type: z.enum(assetTypes).default('uri_folder'),
    path: z.string(),
    mode: z.enum(inputModes).optional(),
  }),
]);
const output = z.strictObject({
  type: z.enum(assetTypes).default('uri_folder'),
  mode: z.literal('direct', 'must be `direct`: the job is given a URL').optional(),
});

/** A command job as `az ml job create --file` reads it, as far as Lockstep runs it. */
const jobFile = z.strictObject({
  $schema: z.string().optional(),
  type: z.literal('command', 'must be `command`').optional(),
  name: z.string().optional(),
  display_name: z.string().optional(),
  experiment_name: z.string().optional(),
  description: z.string().optional(),
  command: z.string().min(1),
  code: z.string().optional(),
  environment: z.union([z.string(), z.strictObject({ image: z.string() })]).optional(),
  environment_variables: texts.optional(),
  compute: z.string().optional(),
  inputs: z.record(z.string(), input).optional(),
  outputs: z.record(z.string(), output.nullable()).optional(),
  limits: z.strictObject({ timeout: z.int().positive() }).optional(),
  resources: z.strictObject({ instance_count: z.int().positive() }).optional(),
  tags: texts.optional(),
  properties: texts.optional(),
});

export type JobFile = z.infer<typeof jobFile> & {
  /** Relative paths in it are relative to this directory. */
  readonly directory: string;
};

/** Reads a job file, YAML or JSON. Throws CliError `usage` that names every member that is wrong. */
export function readJobFile(path: string): JobFile {
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const value = file.endsWith('.json') ? parseJson(text, path) : parseYaml(text, path);
  const parsed = jobFile.safeParse(value);
  if (parsed.success) return { ...parsed.data, directory: dirname(file) };
  throw new CliError('usage', `${path} is not a job that can be run here.`, {
    facts: parsed.error.issues.flatMap(factsOf),
    cause: parsed.error,
  });
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError('usage', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function factsOf(issue: z.core.$ZodIssue): (readonly [string, string])[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = issue.path.length === 0 ? nearestKey(key, Object.keys(jobFile.shape)) : null;
      const hint = near === null ? '' : ` Did you mean \`${near}\`?`;
      return [path === '' ? key : `${path}.${key}`, `there is no such member.${hint}`];
    });
  }
  return [
    [
      path || '(file)',
      issue.code === 'invalid_type' && issue.input === undefined ? 'is missing.' : issue.message,
    ],
  ];
}
