import { randomUUID } from 'node:crypto';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import type { Acknowledged } from './acknowledged.ts';
import { Unexpected, untilAnswered } from './actor.ts';
import type { SeededRandom } from './random.ts';
import { assignment, directoryObject, type Stage } from './stage.ts';
import { storageResource, WorkloadTokens } from './tokens.ts';

/** An administrator without rest: people join and leave groups, roles come and go, and each time it is tried whether it holds. */
export class MembershipActor {
  readonly #stage: Stage;
  readonly #acknowledged: Acknowledged;
  readonly #random: SeededRandom;
  readonly #probe: WorkloadTokens;
  #probeToken = '';
  /** Assignments that stand. */
  readonly #standing: string[] = [];

  constructor(stage: Stage, acknowledged: Acknowledged, random: SeededRandom) {
    this.#stage = stage;
    this.#acknowledged = acknowledged;
    this.#random = random;
    this.#probe = new WorkloadTokens(stage, stage.probe, acknowledged);
  }

  readonly turn = async (): Promise<void> => {
    const { groups, users, probe } = this.#stage;
    if (this.#probeToken === '') this.#probeToken = await this.#probe.exchange(storageResource);
    await this.#isEnforced();
    await this.#toggle(this.#pick(groups), this.#pick(users));
    await this.#toggle(probe.group, probe.id);
    await this.#isEnforced();
    await this.#assignments();
  };

  async #toggle(group: string, member: string): Promise<void> {
    const key = `${group} ${member}`;
    const isMember = this.#acknowledged.memberships.get(key) ?? false;
    this.#acknowledged.memberships.set(key, null);
    await setMember(this.#stage, group, member, !isMember);
    this.#acknowledged.memberships.set(key, !isMember);
  }

  /** The probe may read exactly while it is acknowledged as a member. */
  async #isEnforced(): Promise<void> {
    const { client, storageAccount, probe } = this.#stage;
    const key = `${probe.group} ${probe.id}`;
    const isMember = this.#acknowledged.memberships.get(key) ?? false;
    const answer = await untilAnswered(() =>
      client.send('GET', `/${storageAccount}/azureml-blobstore/?restype=container&comp=list&maxresults=1`, {
        token: this.#probeToken,
        headers: { 'x-ms-version': '2025-11-05' },
      }),
    );
    if (answer.status !== (isMember ? 200 : 403)) {
      this.#acknowledged.surprises.push(
        `the probe was answered ${answer.status} while it was ${isMember ? 'a' : 'no'} member`,
      );
    }
  }

  async #assignments(): Promise<void> {
    const { client, datasets, users, admin } = this.#stage;
    const gone = this.#standing.length > 4;
    const id = gone ? (this.#standing.shift() ?? '') : randomUUID();
    // One principal holds one role at one scope once, so every assignment is at a place of its own.
    const scope = `${datasets}/blobs/r-${id}`;
    const path = `${scope}/providers/Microsoft.Authorization/roleAssignments/${id}?api-version=2022-04-01`;
    this.#acknowledged.assignments.set(id, null);
    const body = assignment(roleIds.storageBlobDataReader, this.#pick(users), 'User');
    const answer = await untilAnswered(() =>
      client.send(gone ? 'DELETE' : 'PUT', path, { token: admin.arm, ...(gone ? {} : { body }) }),
    );
    if (answer.status >= 300 && answer.attempts === 1) throw new Unexpected(path, answer);
    if (!gone) this.#standing.push(id);
    this.#acknowledged.assignments.set(id, !gone);
  }

  #pick(from: readonly string[]): string {
    return from[this.#random.between(0, from.length - 1)] ?? '';
  }
}

/** Asks until it is so. Asked again after a broken connection, the answer may be that it was so already. */
export async function setMember(stage: Stage, group: string, member: string, wanted: boolean): Promise<void> {
  const { client, admin } = stage;
  const members = `/v1.0/groups/${group}/members`;
  const answer = await untilAnswered(() =>
    wanted
      ? client.send('POST', `${members}/$ref`, {
          token: admin.graph,
          body: { '@odata.id': directoryObject(member) },
        })
      : client.send('DELETE', `${members}/${member}/$ref`, { token: admin.graph }),
  );
  if (answer.status !== 204 && answer.attempts === 1) throw new Unexpected(`membership of ${member}`, answer);
}
