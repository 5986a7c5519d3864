// One part of decision.bench.ts at one size, in a process of its own: memory and garbage of one do not disturb another.
import { requireAgreement } from './decision-agreement.ts';
import { measureBatch } from './decision-batch.ts';
import { measureConditions } from './decision-conditions.ts';
import { measureEdits } from './decision-edits.ts';
import { measureExplained } from './decision-explained.ts';
import { measureInterfaces } from './decision-interfaces.ts';
import { measureMemory } from './decision-memory.ts';
import { ownEngine } from './decision-own.ts';
import { casbinPeer } from './decision-peer-casbin.ts';
import { caslByRole, caslExpanded, caslPrepared } from './decision-peer-casl.ts';
import { cedarSliced } from './decision-peer-cedar.ts';
import { opaDocumented, opaIndexed } from './decision-peer-opa.ts';
import { measurePeer, type Peer } from './decision-peer.ts';
import { generateWorkload, sizes, type SizeName, type Workload } from './decision-workload.ts';

const against =
  (build: (workload: Workload) => Peer | Promise<Peer>) =>
  async (workload: Workload): Promise<unknown> =>
    measurePeer(workload, ownEngine(workload.rows), await build(workload));

const parts: Readonly<Record<string, (workload: Workload) => unknown>> = {
  own: (workload) => {
    const engine = ownEngine(workload.rows);
    const figures = measureInterfaces(workload, engine);
    requireAgreement(workload, engine);
    return figures;
  },
  memory: measureMemory,
  edits: (workload) => measureEdits(workload, ownEngine(workload.rows)),
  explained: (workload) => measureExplained(workload, ownEngine(workload.rows)),
  conditions: measureConditions,
  batch: () => measureBatch(),
  casl: against(caslByRole),
  'casl-prepared': against(caslPrepared),
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
