import { parsePolicy, quorumMet, type Policy } from '../ledger/verify/policy.ts';

/**
 * The witnesses of a policy file. Throws an Error that names the file and what is wrong: it is malformed, is the policy
 * of another log, or could not be met by the witnesses that have an address.
 */
export function witnessesOf(
  file: { readonly file: string; readonly text: string } | null,
  verifierKeys: readonly string[],
): Policy | null {
  if (file === null) return null;
  const parsed = parsePolicy(file.text);
  if (!parsed.ok) throw new Error(`the witness policy ${file.file} cannot be used: ${parsed.reason}`);
  const { policy } = parsed;
  const { logs, witnesses, quorum } = policy;
  if (logs.length > 0 && !logs.some(({ verifierKey }) => verifierKeys.includes(verifierKey))) {
    throw new Error(
      `the witness policy ${file.file} is of another log: none of its keys is ${verifierKeys.join(' or ')}`,
    );
  }
  for (const { name, url } of witnesses) {
    if (url !== null && !/^https?:$/.test(protocolOf(url))) {
      throw new Error(`the witness policy ${file.file} gives ${name} the address ${url}, which is none`);
    }
  }
  const asked = witnesses.filter(({ url }) => url !== null).map(({ name }) => name);
  if (!quorumMet(policy, new Set(asked))) {
    throw new Error(
      `the witness policy ${file.file} can never be met: too few witnesses of its quorum ${quorum} have an address`,
    );
  }
  return policy;
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : '';
}
