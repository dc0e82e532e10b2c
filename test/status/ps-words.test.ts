import { describe, expect, test } from 'vitest';
import { parseRunningModels } from '../../src/ollama/models.ts';
import { until } from '../../src/status/ps-words.ts';
import { statusOf } from '../../src/status/status.ts';
import { corpusNames, FROZEN_NOW_MS, readCorpus, readFixture } from '../corpus.ts';
import { NO_CAPACITY } from '../exporter-in-process.ts';

const source = { target: new URL('http://a:1'), module: 'default', simulated: false, readAt: new Date(0) };
const expected = readFixture('expected-cli.json') as Record<string, { rows: readonly string[][] }>;

describe('the columns match `ollama ps`', () => {
  test.each(corpusNames().filter((name) => name.endsWith('.json')))('for %s', (name) => {
    const value = { ...parseRunningModels(JSON.parse(readCorpus(name))), nowMs: FROZEN_NOW_MS };
    const { models } = statusOf({ capacity: NO_CAPACITY, ps: { ok: true, value, seconds: 0 } }, source);
    const rows = (models ?? []).map(({ model, digest, processor, context_length, until: words }) => [
      model,
      digest.slice(0, 12),
      processor,
      String(context_length ?? 0),
      // More precise than the original for a past or missing time.
      words.replace(/^(overdue .*: busy or stopping|not set yet: loading)$/, 'Stopping...'),
    ]);
    // The page shows sizes in GiB.
    const theirs = (expected[name]?.rows ?? []).map(([model, id, _size, ...rest]) => [model, id, ...rest]);
    expect([...rows].sort()).toEqual([...theirs].sort());
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
])('%d s until the expiry is shown as %j', (seconds, words) => {
  expect(until(seconds)).toBe(words);
});
