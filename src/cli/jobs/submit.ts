import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { Invocation } from '../invocation.ts';
import type { JobFile } from './job-file.ts';
import { jobSchema, type Job } from './job-resource.ts';
import { upload } from './upload.ts';

const versionSchema = z.object({ id: z.string() });

const inputModes = {
  direct: 'Direct',
  download: 'Download',
  ro_mount: 'ReadOnlyMount',
  eval_download: 'EvalDownload',
  eval_mount: 'EvalMount',
} as const;

/**
 * What `az ml job create` does: uploads the code and local inputs, creates the code and environment versions that are
 * not there yet, and puts the job.
 */
export async function submitJob(
  call: Invocation,
  client: Client,
  workspaceId: string,
  job: JobFile,
): Promise<Job> {
  const codeId =
    job.code === undefined
      ? null
      : await codeVersion(call, client, workspaceId, resolve(job.directory, job.code));
  const environmentId = await environmentVersion(client, workspaceId, job.environment);
  const inputs: Record<string, object> = {};
  for (const [name, input] of Object.entries(job.inputs ?? {})) {
    inputs[name] =
      'literal' in input
        ? { jobInputType: 'literal', value: input.literal }
        : await assetInput(call, client, workspaceId, job, name, input);
  }
  const outputs = Object.entries(job.outputs ?? {}).map(
    ([name, output]) => [name, { jobOutputType: output?.type ?? 'uri_folder' }] as const,
  );
  const name = job.name ?? newJobName();
  return client.json('arm', 'PUT', `${workspaceId}/jobs/${encodeURIComponent(name)}`, jobSchema, {
    json: {
      properties: {
        jobType: 'Command',
        command: job.command,
        computeId: `${workspaceId}/computes/${(job.compute ?? 'local').replace(/^azureml:/, '')}`,
        environmentId,
        ...(codeId === null ? {} : { codeId }),
        ...(job.display_name === undefined ? {} : { displayName: job.display_name }),
        ...(job.experiment_name === undefined ? {} : { experimentName: job.experiment_name }),
        ...(job.description === undefined ? {} : { description: job.description }),
        ...(job.environment_variables === undefined
          ? {}
          : { environmentVariables: job.environment_variables }),
        ...(job.limits === undefined
          ? {}
          : { limits: { jobLimitsType: 'Command', timeout: `PT${job.limits.timeout}S` } }),
        ...(job.resources === undefined
          ? {}
          : { resources: { instanceCount: job.resources.instance_count } }),
        inputs,
        outputs: Object.fromEntries(outputs),
        tags: job.tags ?? {},
        properties: job.properties ?? {},
      },
    },
  });
}

async function codeVersion(
  call: Invocation,
  client: Client,
  workspaceId: string,
  path: string,
): Promise<string> {
  const { digest, uri } = await upload(call, client, workspaceId, path, basename(path));
  const { id } = await client.json(
    'arm',
    'PUT',
    `${workspaceId}/codes/${digest.slice(0, 32)}/versions/1`,
    versionSchema,
    {
      json: {
        properties: {
          codeUri: uri,
          isAnonymous: true,
          properties: { hash_sha256: digest, hash_version: '202208' },
        },
      },
    },
  );
  return id;
}

async function environmentVersion(
  client: Client,
  workspaceId: string,
  environment: JobFile['environment'],
): Promise<string> {
  if (environment === undefined) {
    throw new CliError('usage', 'The job names no environment.', {
      hint: 'Say --environment IMAGE or azureml:NAME:VERSION, or `environment:` in the file. `local.environments` of the configuration names the images of this machine.',
    });
  }
  const text = typeof environment === 'string' ? environment : null;
  if (text?.startsWith('/')) return text;
  if (text?.startsWith('azureml:')) {
    const found = /^azureml:([^:@]+)(?::([^:@]+)|@latest)$/.exec(text);
    if (found?.[1] === undefined)
      throw new CliError('usage', `\`${text}\`: write azureml:NAME:VERSION or azureml:NAME@latest.`);
    const version = found[2] ?? (await latestVersion(client, `${workspaceId}/environments/${found[1]}`));
    return `${workspaceId}/environments/${found[1]}/versions/${version}`;
  }
  const image = text ?? (environment as { image: string }).image;
  const digest = createHash('sha256').update(image).digest('hex').slice(0, 32);
  const path = `${workspaceId}/environments/CliV2AnonymousEnvironment/versions/${digest}`;
  const { id } = await client.json('arm', 'PUT', path, versionSchema, {
    json: { properties: { image, isAnonymous: true } },
  });
  return id;
}

async function latestVersion(client: Client, container: string): Promise<string> {
  const schema = z.object({ properties: z.object({ latestVersion: z.string() }) });
  return (await client.json('arm', 'GET', container, schema)).properties.latestVersion;
}

async function assetInput(
  call: Invocation,
  client: Client,
  workspaceId: string,
  job: JobFile,
  name: string,
  input: {
    readonly type: string;
    readonly path: string;
    readonly mode?: keyof typeof inputModes | undefined;
  },
): Promise<object> {
  const mode = input.mode === undefined ? {} : { mode: inputModes[input.mode] };
  const remote = await remoteUri(client, workspaceId, input.path);
  if (remote !== null) return { jobInputType: input.type, uri: remote, ...mode };
  const path = resolve(job.directory, input.path);
  if (!existsSync(path)) {
    throw new CliError(
      'usage',
      `The input ${name} names ${input.path}, which is neither here nor an azureml: address.`,
    );
  }
  const { uri, tree } = await upload(call, client, workspaceId, path, name);
  const [only] = tree.files;
  const single = input.type === 'uri_file';
  if (single && (tree.files.length !== 1 || only === undefined)) {
    throw new CliError(
      'usage',
      `The input ${name} is a uri_file, but ${input.path} holds ${tree.files.length} files.`,
    );
  }
  return { jobInputType: input.type, uri: single ? `${uri}/${only?.name ?? ''}` : uri, ...mode };
}

async function remoteUri(client: Client, workspaceId: string, path: string): Promise<string | null> {
  if (/^(azureml|https):\/\//.test(path) || path.startsWith('/subscriptions/')) return path;
  const latest = /^azureml:([^:@/]+)@latest$/.exec(path)?.[1];
  if (latest !== undefined)
    return `azureml:${latest}:${await latestVersion(client, `${workspaceId}/data/${latest}`)}`;
  return path.startsWith('azureml:') ? path : null;
}

function newJobName(): string {
  return `job-${new Date().toISOString().slice(0, 10).replaceAll('-', '')}-${randomUUID().slice(0, 8)}`;
}
