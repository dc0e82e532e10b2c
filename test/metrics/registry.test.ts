import { Gauge, Registry } from 'prom-client';
import { expect, test, vi } from 'vitest';
import { FAMILIES } from '../../src/metrics/families.ts';
import { createOwnRegistry } from '../../src/metrics/own.ts';
import { createRender } from '../../src/metrics/registry.ts';
import { ApiError } from '../../src/ollama/errors.ts';
import { parseInstalledModels, parseRunningModels } from '../../src/ollama/models.ts';
import type { Snapshot } from '../../src/scrape/snapshot.ts';
import { corpusNames, readCorpus } from '../corpus.ts';
import { parseExposition, sampleValue } from '../exposition.ts';

function snapshotOf(count: number): Snapshot {
  const models = Array.from({ length: count }, (_, index) => ({ model: `m${index}`, size: count }));
  return {
    capacity: { vramBytes: undefined, memoryBytes: undefined },
    ps: { ok: true, value: { ...parseRunningModels({ models }), nowMs: 0 }, seconds: 0.1 },
  };
}

function running(name: string) {
  const value = { ...parseRunningModels(JSON.parse(readCorpus(name))), nowMs: 0 };
  return { ok: true, value, seconds: 0.1 } as const;
}

/** Values for every family except the version. */
const FULL: Snapshot = {
  capacity: { vramBytes: 1, memoryBytes: 2 },
  ps: running('02-one-gpu.json'),
  version: { ok: false, error: new ApiError('timeout', 'timed out'), seconds: 1 },
  tags: {
    ok: true,
    value: parseInstalledModels({ models: [{ name: 'a', size: 1, modified_at: '2026-08-01T09:30:00Z' }] }),
    seconds: 0.1,
  },
  runners: {
    seconds: 0.1,
    models: [{ model: 'a', quantization: 'Q4', up: true, slots: 4, busySlots: 1, residentBytes: 5 }],
    problems: [],
  },
};

test('the samples of every family have its declared labels, in order', () => {
  const bodies = corpusNames().filter((name) => name.endsWith('.json'));
  const snapshots: readonly Snapshot[] = [
    ...bodies.map((name) => ({ ...FULL, ps: running(name) })),
    { ...FULL, version: { ok: true, value: '0.33.0', seconds: 1 } },
  ];
  for (const { name, labelNames, samples } of FAMILIES) {
    const labels = snapshots.flatMap((snapshot) => samples(snapshot).map((sample) => sample.labels));
    expect(labels.length, name).toBeGreaterThan(0);
    for (const set of labels) {
      expect(Object.keys(set), name).toEqual(labelNames);
    }
  }
});

test("scrapes that share a snapshot share its text, including the exporter's own metrics", async () => {
  const own = new Registry();
  const collect = vi.fn();
  new Gauge({ name: 'own', help: 'h', registers: [own], collect });
  const render = createRender(own);
  const snapshot = snapshotOf(2);
  const texts = await Promise.all(Array.from({ length: 256 }, () => render(snapshot)));
  expect(new Set(texts).size).toBe(1);
  expect(collect).toHaveBeenCalledTimes(1);
  expect(sampleValue(parseExposition(texts[0] ?? ''), 'own')).toBe(0);
});

test('snapshots rendered concurrently do not mix', async () => {
  const render = createRender();
  const texts = await Promise.all([1, 2, 3].map((count) => render(snapshotOf(count))));
  expect(texts.map((text) => sampleValue(parseExposition(text), 'ollama_loaded_models'))).toEqual([1, 2, 3]);
  expect(texts.map((text) => text.match(/^ollama_model_size_bytes\{/gm)?.length)).toEqual([1, 2, 3]);
});

test('an exporter metric with the name of an Ollama metric is an error', () => {
  const own = new Registry();
  new Gauge({ name: 'ollama_up', help: 'h', registers: [own] });
  expect(() => createRender(own)(snapshotOf(1))).toThrow('ollama_up');
});

test('each room adds its own metrics to those of the exporter', () => {
  const own = createOwnRegistry({ version: '1', revision: 'x' }, [
    (registry) => new Gauge({ name: 'of_a_room', help: 'h', registers: [registry] }),
  ]);
  expect(own.getMetricsAsArray().map(({ name }) => name)).toEqual(
    expect.arrayContaining(['ollama_exporter_build_info', 'of_a_room', 'process_cpu_seconds_total']),
  );
});
