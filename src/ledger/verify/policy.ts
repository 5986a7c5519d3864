import { parseVerifierKey, type KeyKind } from '../note.ts';
import { refusal, type Refusal } from './refusal.ts';

/** Whom a reader of a log believes, and how many of them it asks for. c2sp.org/tlog-policy. */
export interface Policy {
  /** Keys of the log; a checkpoint needs the signature of one of them. */
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** Name of the witness or the group that must have cosigned, or `none`. */
  readonly quorum: string;
}

export interface PolicyLog {
  readonly verifierKey: string;
  readonly url: string | null;
}

export interface PolicyWitness {
  /** Within the policy only: the key has a name of its own. */
  readonly name: string;
  readonly verifierKey: string;
  /** Prefix of its `add-checkpoint`. */
  readonly url: string | null;
}

/** Has cosigned when at least `threshold` of its members have. */
export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}

export type ParsedPolicy = { readonly ok: true; readonly policy: Policy } | Refusal;

/** A reader that trusts the log's own signature alone, by any of these keys. */
export function trustOnly(verifierKeys: readonly string[]): Policy {
  const logs = verifierKeys.map((verifierKey) => ({ verifierKey, url: null }));
  return { logs, witnesses: [], groups: [], quorum: 'none' };
}

/** Reads a policy file. A refusal names the line. c2sp.org/tlog-policy, "Policy file syntax and structure". */
export function parsePolicy(text: string): ParsedPolicy {
  // oxlint-disable-next-line no-control-regex -- the specification names the bytes that may occur.
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) return refusal('it holds control characters');
  const draft = new Draft();
  for (const [i, line] of text.split('\n').entries()) {
    const items = line.split(/[ \t]+/).filter((item) => item !== '');
    const [keyword, ...rest] = items;
    if (keyword === undefined || keyword.startsWith('#')) continue;
    const wrong = draft.take(keyword, rest);
    if (wrong !== null) return refusal(`line ${i + 1}: ${wrong}`);
  }
  const { logs, witnesses, groups, quorum } = draft;
  if (quorum === null) return refusal('it has no line `quorum`');
  return { ok: true, policy: { logs, witnesses, groups, quorum } };
}

/** The policy as a file; parsePolicy reads the same back. */
export function formatPolicy(policy: Policy): string {
  const url = (own: { readonly url: string | null }) => (own.url === null ? '' : ` ${own.url}`);
  return [
    ...policy.logs.map((log) => `log ${log.verifierKey}${url(log)}`),
    ...policy.witnesses.map((witness) => `witness ${witness.name} ${witness.verifierKey}${url(witness)}`),
    ...policy.groups.map(({ name, threshold, members }) => `group ${name} ${threshold} ${members.join(' ')}`),
    `quorum ${policy.quorum}\n`,
  ].join('\n');
}

/** Whether these witnesses, by their names in the policy, are enough. */
export function quorumMet(policy: Policy, cosigned: ReadonlySet<string>): boolean {
  const met = new Set(cosigned);
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => met.has(member)).length >= threshold) met.add(name);
  }
  return policy.quorum === 'none' || met.has(policy.quorum);
}

class Draft {
  readonly logs: PolicyLog[] = [];
  readonly witnesses: PolicyWitness[] = [];
  readonly groups: PolicyGroup[] = [];
  quorum: string | null = null;
  readonly #names = new Set<string>();
  readonly #logKeys = new Set<string>();
  readonly #witnessKeys = new Set<string>();
  readonly #grouped = new Set<string>();

  /** What is wrong with the line; null when nothing is. */
  take(keyword: string, items: readonly string[]): string | null {
    if (keyword === 'log') return this.#log(items);
    if (keyword === 'witness') return this.#witness(items);
    if (keyword === 'group') return this.#group(items);
    if (keyword === 'quorum') return this.#quorum(items);
    return `\`${keyword}\` is none of log, witness, group and quorum`;
  }

  #log([verifierKey, url, ...more]: readonly string[]): string | null {
    if (verifierKey === undefined || more.length > 0) return 'write: log KEY [URL]';
    const wrong = wrongKey(verifierKey, 'note', this.#logKeys);
    if (wrong !== null) return wrong;
    this.logs.push({ verifierKey, url: url ?? null });
    return null;
  }

  #witness([name, verifierKey, url, ...more]: readonly string[]): string | null {
    if (name === undefined || verifierKey === undefined || more.length > 0)
      return 'write: witness NAME KEY [URL]';
    const wrong = this.#wrongName(name) ?? wrongKey(verifierKey, 'cosignature', this.#witnessKeys);
    if (wrong !== null) return wrong;
    this.#names.add(name);
    this.witnesses.push({ name, verifierKey, url: url ?? null });
    return null;
  }

  #group([name, count, ...members]: readonly string[]): string | null {
    if (name === undefined || count === undefined || members.length === 0)
      return 'write: group NAME all|any|NUMBER MEMBER…';
    const wrong = this.#wrongName(name);
    if (wrong !== null) return wrong;
    for (const member of members) {
      if (!this.#names.has(member)) return `${member} is not defined above`;
      if (this.#grouped.has(member)) return `${member} is a member twice`;
      this.#grouped.add(member);
    }
    const threshold =
      count === 'all'
        ? members.length
        : count === 'any'
          ? 1
          : /^[1-9]\d{0,3}$/.test(count)
            ? Number(count)
            : 0;
    if (threshold < 1 || threshold > members.length) {
      return `${count} is not all, any or a number from 1 to ${members.length}`;
    }
    this.#names.add(name);
    this.groups.push({ name, threshold, members });
    return null;
  }

  #quorum([name, ...more]: readonly string[]): string | null {
    if (name === undefined || more.length > 0) return 'write: quorum NAME';
    if (this.quorum !== null) return 'there is a line `quorum` already';
    if (name !== 'none' && !this.#names.has(name)) return `${name} is not defined above`;
    this.quorum = name;
    return null;
  }

  #wrongName(name: string): string | null {
    if (name === 'none') return '`none` names no witness or group';
    return this.#names.has(name) ? `there is a ${name} already` : null;
  }
}

/** Two verifier keys are the same when their public keys are, whatever their names. */
function wrongKey(verifierKey: string, kind: KeyKind, taken: Set<string>): string | null {
  const key = parseVerifierKey(verifierKey);
  if (key?.kind !== kind) {
    const wanted = kind === 'note' ? 'a log (Ed25519, type 1)' : 'a witness (Ed25519 cosignature, type 4)';
    return `${verifierKey} is not the verifier key of ${wanted}`;
  }
  const publicKey = Buffer.from(key.publicBytes).toString('hex');
  if (taken.has(publicKey)) return `the key ${verifierKey} is there already`;
  taken.add(publicKey);
  return null;
}
