import { describe, expect, test } from 'vitest';
import { psBodies } from '../../bench/bodies.mjs';
import { figuresOf } from '../../bench/figures.mjs';
import { parseCpuSeconds, parsePeakRssBytes, parseRssBytes } from '../../bench/proc.mjs';
import { median, percentile, ratios, spread } from '../../bench/statistics.mjs';
import { parseRunningModels } from '../../src/ollama/models.ts';

describe('a percentile', () => {
  test.each([
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 2, 3], 0.5, 2.5],
    [[1, 2, 3, 4, 5], 0.25, 2],
    [[10, 9, 100], 1, 100],
    [[7], 0.99, 7],
  ])('of %j at %d is %d', (values, share, expected) => {
    expect(percentile(values, share)).toBe(expected);
  });

  test('leaves the values in their order', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

test('the spread is median and quartiles, and of nothing there is none', () => {
  expect(spread([5, 1, 4, 2, 3])).toEqual({ median: 3, q1: 2, q3: 4 });
  expect(spread([])).toBeUndefined();
});

test('ratios are of the same round, and a round without a partner or over 0 has none', () => {
  const exporter = new Map([
    [0, 3],
    [1, 8],
    [2, 5],
    [3, 1],
  ]);
  const floor = new Map([
    [1, 4],
    [0, 2],
    [3, 0],
  ]);
  expect(ratios(exporter, floor)).toEqual([1.5, 2]);
});

describe('of /proc', () => {
  test('CPU time is found behind a command whose name has spaces and parentheses', () => {
    const stat = '42 (a) R (b c) S 1 42 42 0 -1 4194560 900 0 3 0 151 49 7 8 20 0 11 0 5000 1 2';
    expect(parseCpuSeconds(stat)).toBe(2);
  });

  test('RSS is bytes, now and at its peak', () => {
    const status = 'Name:\tnode\nVmHWM:\t   90000 kB\nVmRSS:\t   81234 kB\nRssAnon:\t 1 kB\n';
    expect(parseRssBytes(status)).toBe(83_183_616);
    expect(parsePeakRssBytes(status)).toBe(92_160_000);
  });
});

describe('the figures of a report', () => {
  const report = {
    seconds: 2,
    scrapes: 300,
    others: { '503': 90, failed: 10 },
    p50: 1,
    p99: 2,
    bytes: 8_000,
    cpuSeconds: [0.1, 1.5],
    loadCpuSeconds: 0.4,
    rss: [],
  };

  test('count good scrapes alone, and show what share the others have', () => {
    expect(figuresOf(report)).toMatchObject({ perSecond: 150, cpuMs: 5, cpuShare: 75, othersShare: 25 });
  });

  test('leave out what nobody could tell', () => {
    const figures = figuresOf({ ...report, scrapes: 0, p50: null, p99: null, cpuSeconds: [0.1] });
    expect(Object.keys(figures).sort()).toEqual(['loadShare', 'ollamaShare', 'othersShare', 'perSecond']);
  });
});

describe('the simulated Ollama', () => {
  const NOW = Date.parse('2026-08-22T12:00:00Z');
  const texts = (models: number, mode: 'unchanged' | 'changing') => psBodies(models, mode, NOW).map(String);

  test.each([1, 10, 100, 1_000])('shows %d models, every row of which the exporter can use', (count) => {
    const { models, rows, skipped } = parseRunningModels(JSON.parse(texts(count, 'unchanged').join()));
    expect({ models: models.length, rows, skipped }).toEqual({ models: count, rows: count, skipped: 0 });
    for (const { contextLength, expiresAtMs, sizeVramBytes } of models) {
      expect(contextLength).toBe(32_768);
      expect(expiresAtMs).toBeGreaterThan(NOW);
      expect(sizeVramBytes).toBeGreaterThan(0);
    }
  });

  test('shows another list at each of 64 calls, with the same models in other sizes, where it changes', () => {
    const changing = texts(3, 'changing');
    expect(new Set(changing).size).toBe(64);
    const [first, second] = changing.map((text) => parseRunningModels(JSON.parse(text)).models);
    expect(second?.map(({ model }) => model)).toEqual(first?.map(({ model }) => model));
    for (const [index, { sizeBytes, expiresAtMs }] of (second ?? []).entries()) {
      expect(sizeBytes).not.toBe(first?.[index]?.sizeBytes);
      expect(expiresAtMs).not.toBe(first?.[index]?.expiresAtMs);
    }
  });

  test('shows one list only where it does not', () => {
    expect(texts(3, 'unchanged')).toHaveLength(1);
  });
});
