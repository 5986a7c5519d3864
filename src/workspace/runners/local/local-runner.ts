import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '../../../lib/errors.ts';
import type { Secret } from '../../../lib/ids.ts';
import type { Observation, RunHandle, RunnableJob, Runner, RunWish } from '../runner.ts';
import { checkEnvironmentVariables, loopbackExceptions } from './environment-variables.ts';
import { createJobDirectory, jobFiles, readProcess, readStatus, wasAccepted } from './job-directory.ts';
import { isAlive, processStart, signalGroup, signalProcess } from './process-identity.ts';
import type { ShimSpec } from './shim-spec.ts';
import { writeTrustBundle } from './trust-bundle.ts';

/** A host toolchain that stands for an image. */
export interface Toolchain {
  readonly path: readonly string[];
  readonly nodeModules?: string | undefined;
  readonly variables?: Readonly<Record<string, string>>;
}

export interface LocalRunnerOptions {
  /** `{home}/jobs`. */
  readonly directory: string;
  /** By image name. */
  readonly environments: Readonly<Record<string, Toolchain>>;
  readonly cancelGraceMilliseconds: number;
  readonly gateway: {
    /** `https://host:port`. */
    readonly url: string;
    /** PEM file of the authority that jobs trust, besides their own; null when the system's roots do. */
    readonly certificateAuthorityFile: string | null;
  };
  readonly storageResource?: string;
  /** How long a token request waits for an absent gateway. Default 60 s. */
  readonly holdMilliseconds?: number;
}

/** Jobs as processes of this machine. */
export class LocalRunner implements Runner {
  readonly compute = 'local';
  readonly #options: LocalRunnerOptions;

  readonly #trustBundle: string | null;

  constructor(options: LocalRunnerOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const authority = options.gateway.certificateAuthorityFile;
    // A name that no job can have.
    const bundle = join(options.directory, '.trusted.pem');
    this.#trustBundle = authority === null ? null : writeTrustBundle(bundle, authority);
  }

  check(wish: RunWish): void {
    if (!Object.hasOwn(this.#options.environments, wish.image)) {
      const known = Object.keys(this.#options.environments);
      const list = known.length === 0 ? 'none is configured' : `it has ${known.join(', ')}`;
      throw failure(
        'invalid_request',
        `The compute 'local' has no toolchain for the image '${wish.image}': ${list}. ` +
          `An operator adds one under local.environments.`,
        { azureCode: 'ValidationError', target: 'properties.environmentId' },
      );
    }
    if (wish.instanceCount !== 1) {
      throw failure('invalid_request', `The compute 'local' has one instance, not ${wish.instanceCount}.`, {
        azureCode: 'ValidationError',
        target: 'properties.resources.instanceCount',
      });
    }
    checkEnvironmentVariables(wish.environmentVariables);
  }

  async start(job: RunnableJob, accept: (handle: RunHandle) => Promise<Secret>): Promise<void> {
    this.check(job);
    const directory = join(this.#options.directory, job.name.toLowerCase());
    // A job's name is used once; what lies here is of a job that was deleted, or of a start that never came about.
    rmSync(directory, { recursive: true, force: true });
    createJobDirectory(directory, this.#options.environments[job.image]?.nodeModules);
    const log = openSync(join(directory, jobFiles.shimLog), 'a', 0o600);
    const shim = spawn(process.execPath, [shimFile], {
      cwd: directory,
      env: {},
      detached: true,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    const spawned = once(shim, 'spawn');
    shim.stdin?.on('error', () => {
      // The shim is gone; observing it says so.
    });
    await spawned;
    try {
      const pid = shim.pid ?? 0;
      const secret = await accept({ directory, pid, processStarted: processStart(pid) });
      shim.stdin?.end(`${JSON.stringify(this.#spec(job, directory, secret))}\n`);
    } catch (error) {
      shim.stdin?.destroy();
      throw error;
    } finally {
      shim.unref();
    }
  }

  async observe(handle: RunHandle): Promise<Observation> {
    const { directory, pid, processStarted } = handle;
    const alive = pid !== null && isAlive(pid, processStarted);
    const status = readStatus(directory);
    const command = readProcess(directory);
    if (status !== null) {
      if (command !== null) signalGroup(command.pid, command.started, 'SIGKILL');
      return { kind: 'ended', result: status };
    }
    if (alive) {
      return command === null ? { kind: 'preparing' } : { kind: 'running', startedAt: command.startedAt };
    }
    // It may have written its status between the two looks above.
    const late = readStatus(directory);
    if (late !== null) return { kind: 'ended', result: late };
    if (command !== null) {
      const survivors = signalGroup(command.pid, command.started, 'SIGKILL');
      return { kind: 'lost', detail: lostDetail(survivors) };
    }
    const when = wasAccepted(directory) ? 'before the command was started' : 'before it was told what to run';
    return { kind: 'lost', detail: `The process beside the job ended ${when}; nothing of the job has run.` };
  }

  async cancel(handle: RunHandle): Promise<void> {
    if (handle.pid !== null) signalProcess(handle.pid, handle.processStarted, 'SIGTERM');
  }

  async kill(handle: RunHandle): Promise<void> {
    const command = readProcess(handle.directory);
    if (handle.pid !== null) signalProcess(handle.pid, handle.processStarted, 'SIGKILL');
    if (command !== null) signalGroup(command.pid, command.started, 'SIGKILL');
  }

  #spec(job: RunnableJob, directory: string, secret: Secret): ShimSpec {
    const { gateway } = this.#options;
    return {
      directory,
      secret,
      leaseId: job.leaseId,
      clientId: job.principalId,
      gateway: {
        url: gateway.url,
        certificateAuthority:
          gateway.certificateAuthorityFile === null
            ? null
            : readFileSync(gateway.certificateAuthorityFile, 'utf8'),
      },
      holdMilliseconds: this.#options.holdMilliseconds ?? 60_000,
      tokenSeconds: job.tokenSeconds,
      storageResource: this.#options.storageResource ?? 'https://storage.azure.com',
      downloads: job.downloads.map(({ url, path }) => ({ url, path })),
      command: job.command,
      variables: this.#variables(job, directory),
      graceMilliseconds: this.#options.cancelGraceMilliseconds,
      timeoutMilliseconds: job.timeoutMilliseconds,
    };
  }

  /** Everything that the command's environment holds, but for its identity endpoint. Nothing is inherited from us. */
  #variables(job: RunnableJob, directory: string): Record<string, string> {
    const { gateway, environments } = this.#options;
    const toolchain = environments[job.image];
    const { subscriptionId, resourceGroup, name } = job.workspace;
    const authority = gateway.certificateAuthorityFile;
    const bundle = this.#trustBundle;
    return {
      LANG: 'C.UTF-8',
      NO_PROXY: loopbackExceptions,
      no_proxy: loopbackExceptions,
      ...toolchain?.variables,
      ...job.environmentVariables,
      ...job.variables,
      PATH: (toolchain?.path ?? []).join(delimiter),
      HOME: directory,
      TMPDIR: join(directory, jobFiles.temporary),
      ...(authority !== null && { NODE_EXTRA_CA_CERTS: authority }),
      ...(bundle !== null && { REQUESTS_CA_BUNDLE: bundle, SSL_CERT_FILE: bundle }),
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
      AZUREML_RUN_ID: job.name,
      AZUREML_ROOT_RUN_ID: job.name,
      AZUREML_ARM_SUBSCRIPTION: subscriptionId,
      AZUREML_ARM_RESOURCEGROUP: resourceGroup,
      AZUREML_ARM_WORKSPACE_NAME: name,
      AZUREML_ARM_PROJECT_NAME: job.experimentName,
      AZUREML_WORKSPACE_ID: job.workspaceGuid,
      AZUREML_EXPERIMENT_SCOPE: `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${name}/experiments/${job.experimentName}`,
      AZUREML_SERVICE_ENDPOINT: gateway.url,
      AZUREML_DISCOVERY_SERVICE_ENDPOINT: `${gateway.url}/discovery`,
      AZUREML_RUN_HISTORY_SERVICE_ENDPOINT: gateway.url,
      LOCKSTEP_URL: gateway.url,
      LOCKSTEP_TENANT_ID: job.tenantId,
      LOCKSTEP_OUTPUT_URL: job.outputUrl,
    };
  }
}

function lostDetail(survivors: boolean): string {
  const rest = survivors ? ' What was left of the job has been killed.' : '';
  return `The process beside the job ended without saying how the job ended.${rest}`;
}

const shimFile = fileURLToPath(new URL(`./shim${extname(import.meta.filename)}`, import.meta.url));

/** Where a job's log is, for streaming it. */
export function logFileOf(directory: string): string {
  return join(directory, jobFiles.log);
}
