import { z } from 'zod';
import type { Json } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';

const json = z.custom<Json | undefined>();
const name = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,100}$/, 'letters, digits and _, not starting with a digit');
const text = z.string().max(8192);
const dictionary = z.record(z.string(), text.nullable()).nullish();

const assetTypes = [
  'uri_file',
  'uri_folder',
  'mltable',
  'custom_model',
  'mlflow_model',
  'triton_model',
] as const;

const literalInput = z.object({
  jobInputType: z.literal('literal'),
  value: text,
  description: text.nullish(),
});
const assetInput = z.object({
  jobInputType: z.enum(assetTypes),
  /** Never absent after `completeInputs`. */
  uri: text.nullish(),
  mode: z.string().nullish(),
  description: text.nullish(),
});
const output = z.object({
  jobOutputType: z.enum(assetTypes),
  uri: text.nullish(),
  mode: z.string().nullish(),
  description: text.nullish(),
});

/** A command job as Azure Machine Learning's REST API has it (`CommandJob`, api-version 2022-10-01 and later). */
export const commandJob = z
  .object({
    jobType: z.literal('Command', 'Only command jobs are supported here: jobType must be "Command"'),
    command: z.string().min(1).max(65_536),
    codeId: text.nullish(),
    computeId: text.nullish(),
    environmentId: text,
    environmentVariables: z.record(z.string(), text.nullable()).nullish(),
    inputs: z
      .record(name, z.discriminatedUnion('jobInputType', [literalInput, assetInput]).nullable())
      .nullish(),
    outputs: z.record(name, output.nullable()).nullish(),
    distribution: z.unknown().optional(),
    limits: z.object({ jobLimitsType: z.string().nullish(), timeout: z.string().nullish() }).nullish(),
    resources: z.object({ instanceCount: z.int().nullish() }).catchall(json).nullish(),
    identity: z.object({ identityType: z.string() }).catchall(json).nullish(),
    displayName: text.nullish(),
    experimentName: text.nullish(),
    description: text.nullish(),
    isArchived: z.boolean().nullish(),
    tags: dictionary,
    properties: dictionary,
  })
  .catchall(z.unknown());

export type CommandJob = z.infer<typeof commandJob>;
export type JobInput = z.infer<typeof literalInput> | z.infer<typeof assetInput>;

export type InputMode = 'Direct' | 'Download';

/**
 * The job with the uri and mode of every asset input filled in. `@azure/arm-machinelearning` 2.1.1, the newest there is,
 * drops both of them when it writes a job (its table of discriminators lacks the asset inputs), so they may also stand
 * in the job's properties, which it keeps: `lockstep.input.{name}.uri` and `lockstep.input.{name}.mode`.
 * Throws `invalid_request` for an input whose uri stands in neither place.
 */
export function completeInputs(job: CommandJob): CommandJob {
  const inputs: Record<string, JobInput | null> = {};
  for (const [inputName, input] of Object.entries(job.inputs ?? {})) {
    if (input === null || input.jobInputType === 'literal') {
      inputs[inputName] = input;
      continue;
    }
    const uri = input.uri ?? job.properties?.[`lockstep.input.${inputName}.uri`];
    const mode = input.mode ?? job.properties?.[`lockstep.input.${inputName}.mode`];
    if (uri === undefined || uri === null || uri === '') {
      throw failure(
        'invalid_request',
        `The input '${inputName}' has no uri. A client that cannot send one, such as @azure/arm-machinelearning 2.1.1, ` +
          `says it in the job's properties: "lockstep.input.${inputName}.uri".`,
        { azureCode: 'ValidationError', target: `properties.inputs.${inputName}.uri` },
      );
    }
    inputs[inputName] = { ...input, uri, ...(mode === undefined || mode === null ? {} : { mode }) };
  }
  return { ...job, inputs };
}

/**
 * How an input reaches the job. A mount is a download here: what the job sees is the same. Throws `invalid_request`
 * for a mode that cannot be kept.
 */
export function inputMode(inputName: string, mode: string | null | undefined): InputMode {
  switch (mode ?? 'ReadOnlyMount') {
    case 'Direct':
      return 'Direct';
    case 'Download':
    case 'ReadOnlyMount':
    case 'EvalDownload':
    case 'EvalMount':
      return 'Download';
    default:
      throw failure(
        'invalid_request',
        `The input '${inputName}' has the mode '${mode}'; here it can be Direct, Download or ReadOnlyMount.`,
        { azureCode: 'ValidationError', target: `properties.inputs.${inputName}.mode` },
      );
  }
}

/** The job writes to its output over HTTPS with its own identity. Throws `invalid_request` for another mode or place. */
export function checkOutput(outputName: string, declared: z.infer<typeof output>): void {
  const target = `properties.outputs.${outputName}`;
  if (declared.mode !== undefined && declared.mode !== null && declared.mode !== 'Direct') {
    throw failure(
      'invalid_request',
      `The output '${outputName}' has the mode '${declared.mode}'; here it can only be Direct: the job is given a URL.`,
      { azureCode: 'ValidationError', target: `${target}.mode` },
    );
  }
  if (declared.uri !== undefined && declared.uri !== null) {
    throw failure(
      'invalid_request',
      `The output '${outputName}' names a uri; here every job writes beneath its own prefix, so leave it out.`,
      { azureCode: 'ValidationError', target: `${target}.uri` },
    );
  }
}

/** Milliseconds of an ISO 8601 duration of days, hours, minutes and seconds, such as `PT1H30M`. Null when it is not one. */
export function durationMilliseconds(duration: string): number | null {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(duration);
  if (match === null || /^PT?$|T$/.test(duration)) return null;
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = match;
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}
