import type { Command } from 'commander';
import { z } from 'zod';
import { armCollection } from '../arm.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { CliContext } from '../context.ts';
import { invocation, type Invocation } from '../invocation.ts';
import { readJobFile, type JobFile } from '../jobs/job-file.ts';
import { hasEnded, jobSchema, type Job } from '../jobs/job-resource.ts';
import { streamJob } from '../jobs/stream.ts';
import { submitJob } from '../jobs/submit.ts';
import { moment } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';

const repeated = (value: string, before: readonly string[] = []) => [...before, value];

const workspaceOption = [
  '--workspace <id>',
  'Resource id of the workspace. Default: the server’s first one.',
] as const;
const workspaceSchema = z.object({
  workspace: z.string().startsWith('/', 'must be a resource id').optional(),
});
const submitSchema = workspaceSchema.extend({
  command: z.string().optional(),
  code: z.string().optional(),
  environment: z.string().optional(),
  compute: z.string().optional(),
  name: z.string().optional(),
  displayName: z.string().optional(),
  input: z.array(z.string()).optional(),
  output: z.array(z.string()).optional(),
  tag: z.array(z.string()).optional(),
  stream: z.boolean(),
});

export function addJob(program: Command, context: CliContext): void {
  const job = program.command('job').description('Jobs: submit, watch, cancel.');

  job
    .command('submit')
    .description(
      'Submit a command job, from a file as `az ml job create` reads it, from options, or from both.',
    )
    .argument('[file]', 'Job file, YAML or JSON; options win over it.')
    .option('--command <line>', 'What to run, with ${{inputs.name}} and ${{outputs.name}}.')
    .option('--code <directory>', 'Directory, or one file, to upload and run in.')
    .option('--environment <name>', 'Image, or azureml:NAME:VERSION, or azureml:NAME@latest.')
    .option('--compute <name>', 'Where to run. Default: local.')
    .option(
      '--input <name=value>',
      'Input: azureml:NAME:VERSION, azureml://…, ./path, or a literal; may be repeated.',
      repeated,
    )
    .option('--output <name>', 'Output that the job writes; may be repeated.', repeated)
    .option('--name <name>', 'Name of the job. Default: a new one.')
    .option('--display-name <text>', 'Name for people.')
    .option('--tag <name=value>', 'Tag of the job; conditions may ask for it. May be repeated.', repeated)
    .option('--stream', 'Watch it until it ends.', false)
    .option(...workspaceOption)
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(submitSchema);
      const wanted = merged(file === undefined ? null : readJobFile(file), options);
      const { client, workspaceId } = await place(call);
      const submitted = await submitJob(call, client, workspaceId, wanted);
      if (!options.stream) {
        call.result(
          submitted,
          facts(
            [
              ['submitted', submitted.name],
              ['status', submitted.properties.status],
              ['next', `lockstep job stream ${submitted.name}`],
            ],
            call.style,
          ),
        );
        return;
      }
      call.note(`submitted  ${submitted.name}`);
      await watch(call, client, workspaceId, submitted.name);
    });

  job
    .command('list')
    .description('List the jobs of the workspace, newest first.')
    .option(...workspaceOption)
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { client, workspaceId } = await place(call);
      const jobs = await armCollection(client, `${workspaceId}/jobs`, jobSchema);
      const shown = table(
        jobs,
        [
          { title: 'JOB', value: (row) => row.name },
          { title: 'STATUS', value: (row) => row.properties.status },
          { title: 'CREATED', value: (row) => moment(row.systemData?.createdAt) },
          { title: 'BY', value: (row) => row.systemData?.createdBy ?? null },
          { title: 'NAME', value: (row) => row.properties.displayName ?? null },
        ],
        call.style,
        call.width,
      );
      call.result(jobs, shown === '' ? 'No jobs yet: lockstep job submit --help' : shown);
    });

  job
    .command('show')
    .description('Show one job.')
    .argument('<name>', 'Name of the job.')
    .option(...workspaceOption)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { client, workspaceId } = await place(call);
      const found = await client.json('arm', 'GET', jobPath(workspaceId, name), jobSchema);
      call.result(found, shownJob(call, found));
    });

  job
    .command('stream')
    .description('Print what a job writes until it ends. Ctrl-C stops watching, not the job.')
    .argument('<name>', 'Name of the job.')
    .option(...workspaceOption)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { client, workspaceId } = await place(call);
      await watch(call, client, workspaceId, name);
    });

  job
    .command('cancel')
    .description('Cancel a job: its processes end, and its identity with them.')
    .argument('<name>', 'Name of the job.')
    .option(...workspaceOption)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { client, workspaceId } = await place(call);
      const { properties } = await client.json('arm', 'GET', jobPath(workspaceId, name), jobSchema);
      if (hasEnded(properties.status)) {
        const { status } = properties;
        call.result({ canceling: null, name, status }, `${name} has ended already: ${status}`);
        return;
      }
      await client.done('arm', 'POST', `${jobPath(workspaceId, name)}/cancel`);
      call.result({ canceling: name }, `canceling  ${name}`);
    });
}

async function place(call: Invocation): Promise<{ client: Client; workspaceId: string }> {
  const client = await call.client();
  const { workspace } = call.options(workspaceSchema);
  return { client, workspaceId: workspace ?? (await client.discovery()).workspaceId };
}

function jobPath(workspaceId: string, name: string): string {
  return `${workspaceId}/jobs/${encodeURIComponent(name)}`;
}

async function watch(call: Invocation, client: Client, workspaceId: string, name: string): Promise<void> {
  const ended = await streamJob(call, client, workspaceId, name);
  call.result(ended, '');
  const { status, error } = ended.properties;
  if (!hasEnded(status) || status === 'Completed') return;
  if (error?.message) call.note(call.style.dim(`${name}  ${error.message}`));
  call.context.ending = 'job-failed';
}

function merged(file: JobFile | null, options: z.infer<typeof submitSchema>): JobFile {
  const command = options.command ?? file?.command;
  if (command === undefined) {
    throw new CliError('usage', 'Name a job file, or at least --command.', {
      hint: 'lockstep job submit --help',
    });
  }
  const inputs = (options.input ?? []).map((text) => {
    const [name, value] = pairOf('--input', text);
    return [name, inputOf(value)] as const;
  });
  const tags = (options.tag ?? []).map((text) => pairOf('--tag', text));
  const outputs = (options.output ?? []).map((name) => [name, null] as const);
  return {
    // Paths of options are relative to where the command runs, those of a file to the file.
    directory: process.cwd(),
    ...file,
    command,
    ...(options.code === undefined ? {} : { code: fromHere(options.code) }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    ...(options.compute === undefined ? {} : { compute: options.compute }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.displayName === undefined ? {} : { display_name: options.displayName }),
    inputs: { ...file?.inputs, ...Object.fromEntries(inputs) },
    outputs: { ...file?.outputs, ...Object.fromEntries(outputs) },
    tags: { ...file?.tags, ...Object.fromEntries(tags) },
  };
}

function pairOf(option: string, text: string): readonly [string, string] {
  const cut = text.indexOf('=');
  if (cut < 1) throw new CliError('usage', `${option} ${text}: write name=value.`);
  return [text.slice(0, cut), text.slice(cut + 1)];
}

function fromHere(path: string): string {
  return path.startsWith('/') ? path : `${process.cwd()}/${path}`;
}

/** A path or an address is an asset, anything else a literal. A path ends in `/` to be a folder. */
function inputOf(value: string): NonNullable<JobFile['inputs']>[string] {
  if (value.startsWith('azureml:') || value.startsWith('https://'))
    return { type: folderOrFile(value), path: value };
  if (/^\.{0,2}\//.test(value)) return { type: folderOrFile(value), path: fromHere(value) };
  return { literal: value };
}

function folderOrFile(value: string): 'uri_folder' | 'uri_file' {
  return value.endsWith('/') ? 'uri_folder' : 'uri_file';
}

function shownJob(call: Invocation, job: Job): string {
  const { properties, systemData } = job;
  const inputs = Object.entries(properties.inputs ?? {}).map(
    ([name, input]) => `${name} = ${input?.uri ?? input?.value ?? ''}`,
  );
  const outputs = Object.entries(properties.outputs ?? {}).map(
    ([name, output]) => `${name} = ${output?.uri ?? ''}`,
  );
  const more = Object.entries(properties.properties ?? {}).map(([name, value]) => `${name} = ${value ?? ''}`);
  return facts(
    [
      ['job', job.name],
      ['name', properties.displayName ?? null],
      ['status', properties.status],
      ['created', moment(systemData?.createdAt)],
      ['by', systemData?.createdBy ?? null],
      ['compute', properties.computeId?.split('/').at(-1) ?? null],
      ['command', properties.command ?? null],
      ['code', properties.codeId?.split('/').slice(-3).join('/') ?? null],
      ['environment', properties.environmentId?.split('/').slice(-3).join('/') ?? null],
      ['inputs', inputs.join('\n') || null],
      ['outputs', outputs.join('\n') || null],
      ['properties', more.join('\n') || null],
      ['id', job.id],
    ],
    call.style,
  );
}
