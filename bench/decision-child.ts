// One part of decision.bench.ts at one size, in a process of its own: memory and garbage of one do not disturb another.
import { measureInterfaces } from './decision-interfaces.ts';
import { ownEngine } from './decision-own.ts';
import { casbinPeer } from './decision-peer-casbin.ts';
import { caslByRole, caslExpanded } from './decision-peer-casl.ts';
import { cedarSliced } from './decision-peer-cedar.ts';
import { opaDocumented, opaIndexed } from './decision-peer-opa.ts';
import { measurePeer, type Peer } from './decision-peer.ts';
import { generateWorkload, sizes, type SizeName, type Workload } from './decision-workload.ts';

const against =
  (build: (workload: Workload) => Peer | Promise<Peer>) =>
  async (workload: Workload): Promise<unknown> =>
    measurePeer(workload, ownEngine(workload.rows), await build(workload));

const parts: Readonly<Record<string, (workload: Workload) => unknown>> = {
  own: (workload) => measureInterfaces(workload, ownEngine(workload.rows)),
  casl: against(caslByRole),
  'casl-expanded': against(caslExpanded),
  opa: against(opaDocumented),
  'opa-indexed': against(opaIndexed),
  cedar: against(cedarSliced),
  casbin: against(casbinPeer),
};

const [part = '', size = ''] = process.argv.slice(2);
const measure = parts[part];
if (measure === undefined || !isSize(size)) throw new Error(`there is no part ${part} at ${size}`);
process.send?.(await measure(generateWorkload(sizes[size])));
process.disconnect();

function isSize(name: string): name is SizeName {
  return name in sizes;
}
