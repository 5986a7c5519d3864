import { configHelp, type ConfigError } from '../config/problems.ts';
import { CliError } from './cli-error.ts';

/** A configuration that cannot be used, told the same by whatever command meets it. */
export function configFailure(error: ConfigError): CliError {
  return new CliError('usage', error.summary, { facts: error.told, hint: configHelp, cause: error });
}
