/** What `work` takes of this thread's processor, in milliseconds: the same however much else the machine has to do. */
export function processorMilliseconds(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
