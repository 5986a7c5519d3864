// One part of decision.bench.ts at one size, in a process of its own: memory and garbage of one do not disturb another.
import { measureInterfaces } from './decision-interfaces.ts';
import { ownEngine } from './decision-own.ts';
import { generateWorkload, sizes, type SizeName, type Workload } from './decision-workload.ts';

const parts: Readonly<Record<string, (workload: Workload) => unknown>> = {
  own: (workload) => measureInterfaces(workload, ownEngine(workload.rows)),
};

const [part = '', size = ''] = process.argv.slice(2);
const measure = parts[part];
if (measure === undefined || !isSize(size)) throw new Error(`there is no part ${part} at ${size}`);
process.send?.(await measure(generateWorkload(sizes[size])));
process.disconnect();

function isSize(name: string): name is SizeName {
  return name in sizes;
}
