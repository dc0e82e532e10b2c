import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rateLimiter } from '../../src/web/rate-limit.ts';
import { readWebConfig } from '../../src/web/web-config.ts';

/** @param requests when they come, in milliseconds */
function passed(intervalMs: number, burst: number, requests: readonly number[]): readonly boolean[] {
  let time = 0;
  const mayPass = rateLimiter({ intervalMs, burst }, () => time);
  return requests.map((at) => {
    time = at;
    return mayPass();
  });
}

test('so many requests pass at once as there are tokens, and then one at each interval', () => {
  expect(passed(1_000, 2, [0, 0, 0, 999, 1_000, 1_000, 2_500, 3_000])).toEqual([
    true,
    true,
    false,
    false,
    true,
    false,
    true,
    true,
  ]);
});

test('tokens that nobody draws do not add up beyond the burst', () => {
  expect(passed(1_000, 2, [60_000, 60_000, 60_000])).toEqual([true, true, false]);
});

test('with a burst of 0 nothing ever passes', () => {
  expect(passed(1_000, 0, [0, 5_000])).toEqual([false, false]);
});

test('with an interval of 0 everything passes, whatever the burst', () => {
  expect(passed(0, 0, [0, 0, 0])).toEqual([true, true, true]);
});

test.each([
  ['', 0],
  ['interval: 0', 0],
  ['interval: 0s', 0],
  ['interval: 0.0ms', 0],
  ['interval: 100ms', 100],
  ['interval: 1m30s', 90_000],
])('%j is an interval of %d ms', (line, intervalMs) => {
  const folder = mkdtempSync(join(tmpdir(), 'rate-limit-'));
  writeFileSync(join(folder, 'web.yml'), `rate_limit: { ${line} }`);
  const { rateLimit } = readWebConfig(join(folder, 'web.yml'));
  rmSync(folder, { recursive: true });
  expect(rateLimit).toEqual({ intervalMs, burst: 0 });
});
