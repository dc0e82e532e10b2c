import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { simulateRunners } from '../../src/demo/runners.ts';
import { simulate } from '../../src/demo/simulation.ts';
import { slotsOf } from '../../src/demo/work.ts';
import { parseMetrics, parseSlots } from '../../src/runners/llama-server.ts';
import { startInProcess } from '../exporter-in-process.ts';
import { sampleValue } from '../exposition.ts';

const START = Date.parse('2026-08-22T12:00:00Z');

/** Samples of the demo, one per second. */
function watch(minutes: number) {
  const loadedAt = simulate(11434, START);
  return Array.from({ length: minutes * 60 }, (_, second) => loadedAt(START + second * 1_000));
}

test('slots are busy and idle within half an hour, and never more than a model has are busy', () => {
  const samples = watch(30).flat();
  const busy = samples.map(({ busySlots }) => busySlots);
  expect(new Set(busy)).toEqual(new Set([0, 1, 2, 3]));
  expect(samples.every(({ model, busySlots }) => busySlots <= slotsOf(model))).toBe(true);
});

test('the counters of a runner never decrease', () => {
  const last = new Map<string, readonly number[]>();
  for (const { model, loadedAtMs, work } of watch(30).flat()) {
    const key = `${model.name} ${loadedAtMs}`;
    const now = Object.values(work);
    const before = last.get(key) ?? now.map(() => 0);
    expect(now.every((value, index) => value >= (before[index] ?? 0))).toBe(true);
    last.set(key, now);
  }
  expect(last.size).toBeGreaterThan(10);
});

test('the generation speed is realistic for a GPU', () => {
  for (const { work } of watch(30)
    .flat()
    .filter(({ work }) => work.generatedTokens > 0)) {
    const perSecond = work.generatedTokens / work.generationSeconds;
    expect(perSecond).toBeGreaterThan(10);
    expect(perSecond).toBeLessThan(200);
  }
});

test('each runner responds like llama-server, and its port closes when the model is unloaded', async () => {
  let loaded = watch(1).at(-1) ?? [];
  const { finder, close } = simulateRunners(() => loaded, START);
  onTestFinished(close);
  const [runner] = await finder.find();
  const get = async (path: string) =>
    await (await request(`http://127.0.0.1:${runner?.port}${path}`, { reset: true })).body.text();
  expect(parseSlots(await get('/slots')).total).toBeGreaterThan(0);
  expect(parseMetrics(await get('/metrics'))).toMatchObject({ busy: expect.any(Number) });
  expect(runner && finder.refresh(runner)).toEqual(runner);
  loaded = [];
  expect(await finder.find()).toEqual([]);
  expect(runner && finder.refresh(runner)).toBeUndefined();
  await expect(get('/slots')).rejects.toThrow('ECONNREFUSED');
});

test('the demo reports the slots of every model without --collector.runners', async () => {
  const exporter = await startInProcess(undefined, { demo: true });
  onTestFinished(exporter.close);
  const exposition = await exporter.scrape();
  const models = (name: string) => exposition.get(name)?.samples.map(({ labels }) => labels['model']);
  expect(models('ollama_model_slots_busy')).toEqual(models('ollama_model_size_bytes'));
  expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'runners' })).toBe(1);
});
