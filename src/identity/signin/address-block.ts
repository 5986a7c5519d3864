import { isIPv4, isIPv6 } from 'node:net';

/**
 * What counts as one source when attempts are counted: an IPv4 address, or the /64 of an IPv6 address, since one
 * customer holds at least that much. IPv4 inside IPv6 is IPv4. Anything else stands for itself.
 */
export function addressBlock(address: string): string {
  const bare = (address.split('%')[0] ?? '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  if (!isIPv6(bare)) return bare;
  const [left = '', right] = bare.split('::');
  const head = groups(left);
  const zeros = right === undefined ? 0 : 8 - head.length - groups(right).length;
  const whole = [...head, ...Array.from({ length: zeros }, () => '0'), ...groups(right ?? '')];
  return `${whole
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** A dotted tail stands for two groups; its value does not matter within a /64. */
function groups(part: string): string[] {
  return part
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => (group.includes('.') ? ['v4', 'v4'] : [group]));
}
