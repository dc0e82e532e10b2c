import { describe, expect, test } from 'vitest';
import { parseRunningModels } from '../../src/ollama/models.ts';
import { humanBytes } from '../../src/status/ps-words.ts';
import { statusOf } from '../../src/status/status.ts';
import { until } from '../../src/status/until.js';
import { corpusNames, FROZEN_NOW_MS, readCorpus, readFixture } from '../corpus.ts';
import { NO_CAPACITY } from '../exporter-in-process.ts';

const source = { target: new URL('http://a:1'), module: 'default', simulated: false, readAt: new Date(0) };
const expected = readFixture('expected-cli.json') as Record<string, { rows: readonly string[][] }>;

describe('the words of `ollama ps`', () => {
  test.each(corpusNames().filter((name) => name.endsWith('.json')))('for %s', (name) => {
    const value = { ...parseRunningModels(JSON.parse(readCorpus(name))), nowMs: FROZEN_NOW_MS };
    const { models } = statusOf({ capacity: NO_CAPACITY, ps: { ok: true, value, seconds: 0 } }, source);
    const rows = (models ?? []).map(({ model, digest, size, processor, context_length, until: words }) => [
      model,
      digest.slice(0, 12),
      humanBytes(size),
      processor,
      String(context_length ?? 0),
      // Truer than the original, where the time is past or none.
      words.replace(/^(overdue .*: busy or stopping|not set yet: loading)$/, 'Stopping...'),
    ]);
    expect([...rows].sort()).toEqual([...(expected[name]?.rows ?? [])].sort());
  });
});

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [0, 'Less than a second from now'],
  [1.9, '1 second from now'],
  [59.9, '59 seconds from now'],
  [MINUTE, 'About a minute from now'],
  [2 * MINUTE - 1, 'About a minute from now'],
  [59.9 * MINUTE, '59 minutes from now'],
  [HOUR, 'About an hour from now'],
  [1.5 * HOUR, '2 hours from now'],
  [2 * DAY, '2 days from now'],
  [14 * DAY, '2 weeks from now'],
  [60 * DAY, '2 months from now'],
  [3 * 365 * DAY, '3 years from now'],
  [Number.POSITIVE_INFINITY, 'Forever'],
  [undefined, 'not set yet: loading'],
  [-0.5, 'overdue 0 s: busy or stopping'],
  [-59, 'overdue 59 s: busy or stopping'],
  [-2 * MINUTE, 'overdue 2 min: busy or stopping'],
  [-3 * HOUR, 'overdue 3 h: busy or stopping'],
])('%d s until the expiry is %j', (seconds, words) => {
  expect(until(seconds)).toBe(words);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1 KB'],
  [1_550, '1.6 KB'],
  [9_990_000, '10.0 MB'],
  [10_999_999, '10 MB'],
  [1.5e12, '1.5 TB'],
])('%d bytes are %j', (bytes, words) => {
  expect(humanBytes(bytes)).toBe(words);
});
