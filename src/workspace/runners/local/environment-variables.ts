import { failure } from '../../../lib/errors.ts';

/** Names by which code, credentials or another identity could be smuggled into a job, or ours be taken away. */
const refusedPrefixes = [
  'IDENTITY_',
  'MSI_',
  'IMDS_',
  'OBO_',
  'AZUREML_',
  'AZURE_ML_',
  'LOCKSTEP_',
  'LD_',
  'DYLD_',
  'AZURE_CLIENT_',
  'AZURE_FEDERATED_',
];
const refusedNames = new Set([
  'PATH',
  'HOME',
  'TMPDIR',
  'ENV',
  'BASH_ENV',
  'SHELLOPTS',
  'IFS',
  'AZURE_USERNAME',
  'AZURE_PASSWORD',
  'AZURE_TENANT_ID',
  'AZURE_AUTHORITY_HOST',
  'AZURE_TOKEN_CREDENTIALS',
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
  'DEFAULT_IDENTITY_CLIENT_ID',
  'MSAL_MANAGED_IDENTITY_ENDPOINT',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'PYTHONSTARTUP',
  'PERL5OPT',
  'RUBYOPT',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]);
const nameForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const largest = 65_536;

/** Throws `invalid_request` naming the first variable that a job may not set for itself. */
export function checkEnvironmentVariables(variables: Readonly<Record<string, string>>): void {
  let size = 0;
  for (const [name, value] of Object.entries(variables)) {
    const problem = problemWith(name, value);
    if (problem !== null) {
      throw failure('invalid_request', `The environment variable '${name.slice(0, 80)}' ${problem}`, {
        azureCode: 'ValidationError',
        target: 'properties.environmentVariables',
      });
    }
    size += name.length + value.length;
  }
  if (size > largest) {
    throw failure(
      'invalid_request',
      `The environment variables are larger than ${largest} characters together.`,
      {
        azureCode: 'ValidationError',
        target: 'properties.environmentVariables',
      },
    );
  }
}

function problemWith(name: string, value: string): string | null {
  if (!nameForm.test(name)) return 'is not a name: letters, digits and _, not starting with a digit.';
  const upper = name.toUpperCase();
  if (refusedNames.has(upper) || refusedPrefixes.some((prefix) => upper.startsWith(prefix))) {
    return 'is set by Lockstep or would change what the job runs or who it is, so a job may not set it.';
  }
  return value.includes('\0') ? 'has a value with a NUL character.' : null;
}

/** Proxy settings would take the job's requests to its own loopback endpoint elsewhere. */
export const loopbackExceptions = 'localhost,127.0.0.1,::1';
