import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, processStart, signalGroup, signalProcess } from './process-identity.ts';

describe('the identity of a process', () => {
  it('stays the same while it lives and is gone with it', async () => {
    const child = spawn('/bin/sleep', ['30'], { detached: true });
    const pid = child.pid ?? 0;
    const start = processStart(pid);
    expect(start).not.toBeNull();
    expect(processStart(pid)).toBe(start);
    expect(isAlive(pid, start)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(processStart(pid)).toBeNull();
    expect(isAlive(pid, start)).toBe(false);
  });

  it('is not that of another process with the same number, which is sent nothing', async () => {
    const child = spawn('/bin/sleep', ['30'], { detached: true });
    const pid = child.pid ?? 0;
    const other = `${processStart(pid)}0`;
    expect(isAlive(pid, other)).toBe(false);
    expect(signalProcess(pid, other, 'SIGKILL')).toBe(false);
    expect(signalGroup(pid, other, 'SIGKILL')).toBe(false);
    expect(signalProcess(pid, null, 'SIGKILL')).toBe(false);
    child.kill('SIGUSR1');
    expect(await once(child, 'exit')).toEqual([null, 'SIGUSR1']);
  });

  it('reaches a group whose leader has gone, but never one of another boot', async () => {
    const child = spawn('/bin/sh', ['-c', 'sleep 30 & echo $!; wait'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const leader = child.pid ?? 0;
    const start = processStart(leader) ?? '';
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const member = Number(line.toString());
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(signalGroup(leader, 'another-boot:123', 'SIGKILL')).toBe(false);
    expect(processStart(member)).not.toBeNull();
    expect(signalGroup(leader, start, 'SIGKILL')).toBe(true);
  });
});
