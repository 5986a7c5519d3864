import { assembleCast, type Cast } from '../../examples/four-day-training-job/cast.ts';
import { startCiIssuer, type CiIssuer } from '../../examples/four-day-training-job/processes.ts';
import { defaultScale } from '../../examples/four-day-training-job/story.ts';
import type { Config } from '../../src/config/load.ts';
import { CiClient } from './ci-client.ts';
import { openHouse, type House } from './house.ts';

/** The people and the data of the story, without the story. */
export interface Scene {
  readonly house: House;
  readonly issuer: CiIssuer;
  readonly cast: Cast;
  readonly ci: CiClient;
  /** `/{account}`, in front of every blob's path. */
  readonly account: string;
  close(): Promise<void>;
}

export async function openScene(
  environments: Config['local']['environments'] = {},
  over: Parameters<typeof openHouse>[2] = {},
): Promise<Scene> {
  const house = await openHouse(defaultScale, environments, over);
  const issuer = await startCiIssuer();
  const cast = await assembleCast(house.admin, { ...house.stage.place, issuer: issuer.issuer });
  const ci = new CiClient(house, issuer, cast.ci.appId);
  return {
    house,
    issuer,
    cast,
    ci,
    account: `/${house.stage.place.storageAccount}`,
    async close() {
      await ci.close();
      issuer.stop();
      await house.close();
    },
  };
}
