import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../lib/clock.ts';
import { JobTokens } from './job-tokens.ts';
import type { TokenAnswer } from './lease-client.ts';

const start = 1_800_000_000_000;

function stage(holdMilliseconds = 0) {
  const clock = new ManualClock(start);
  const answers: TokenAnswer[] = [];
  let asked = 0;
  const tokens = new JobTokens({
    clock,
    holdMilliseconds,
    source: {
      token: async () => {
        asked++;
        const issuedAt = Math.floor(clock.now() / 1000);
        return answers.shift() ?? { kind: 'token', token: `t${asked}`, issuedAt, expiresAt: issuedAt + 300 };
      },
    },
  });
  const get = async (resource = 'r') => {
    const answer = await tokens.get(resource);
    return answer.kind === 'token' ? answer.token : answer.kind;
  };
  return { clock, answers, tokens, get, asked: () => asked };
}

describe('the tokens of a job', () => {
  it('are asked for once until about half of their life, then anew', async () => {
    const { clock, get, asked } = stage();
    expect(await get()).toBe('t1');
    clock.advance(130_000);
    expect(await get()).toBe('t1');
    clock.advance(36_000);
    expect(await get()).toBe('t2');
    expect(asked()).toBe(2);
  });

  it('are asked for once by many at the same time, and apart for each resource', async () => {
    const { get, asked } = stage();
    expect(await Promise.all([get('a'), get('a'), get('a'), get('b')])).toEqual(['t1', 't1', 't1', 't2']);
    expect(asked()).toBe(2);
  });

  it('are handed out while the gateway is away, until they lapse', async () => {
    const { clock, answers, get } = stage();
    expect(await get()).toBe('t1');
    answers.push({ kind: 'away', message: 'gone' }, { kind: 'away', message: 'gone' });
    clock.advance(290_000);
    expect(await get()).toBe('t1');
    clock.advance(11_000);
    expect(await get()).toBe('away');
  });

  it('hold a request while the gateway is away and answer when it is back', async () => {
    const { answers, get } = stage(60_000);
    answers.push({ kind: 'away', message: 'gone' }, { kind: 'away', message: 'gone' });
    expect(await get()).toBe('t3');
  });

  it('are all refused from the moment that the lease is said to have ended', async () => {
    const { clock, answers, get, asked } = stage();
    expect(await get('a')).toBe('t1');
    expect(await get('b')).toBe('t2');
    clock.advance(200_000);
    answers.push({ kind: 'ended', message: 'over' });
    expect(await get('a')).toBe('ended');
    expect(await get('b')).toBe('ended');
    expect(await get('c')).toBe('ended');
    expect(asked()).toBe(3);
  });

  it('are not handed out when the lease ends while one is on its way', async () => {
    const { tokens, get } = stage();
    const pending = get();
    tokens.end('over');
    expect(await pending).toBe('ended');
  });
});
