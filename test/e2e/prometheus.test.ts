import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { CHAT_MODELS, EMBEDDING_MODEL } from '../../src/demo/catalog.ts';
import { Scheduler } from '../../src/demo/scheduler.ts';
import { type SimulatedOllama, startSimulatedOllama } from '../../src/demo/server.ts';
import { DEMO_MACHINE } from '../../src/demo/simulation.ts';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { type RunningExporter, runExporter, startExporterProcess } from './exporter-process.ts';
import { type Prometheus, scrapeEverySecond, startPrometheus } from './prometheus-process.ts';

const binaries = inject('prometheus');
const MODEL = CHAT_MODELS[0] ?? EMBEDDING_MODEL;

/** Label values that must not break a scrape: quotes, escapes, line breaks, NUL, lone surrogates, any script. */
const HOSTILE_NAMES = ['say "x"', 'back\\slash\\', 'lone\ud800', '{a="b"} 1', '模型 🦙'];

/** Invalid names: they are skipped. */
const NOT_NAMES = ['two\nlines', 'nul\0', '\u2028'];

describe.skipIf(binaries === undefined)('a real Prometheus', () => {
  const gpu = new Scheduler(DEMO_MACHINE.vramBytes);
  let simulated: SimulatedOllama;
  let hostile: FakeOllama;
  let exporters: readonly RunningExporter[];
  let prometheus: Prometheus;

  beforeAll(async () => {
    gpu.request({ model: EMBEDDING_MODEL, durationMs: 0, keepAliveMs: Number.POSITIVE_INFINITY }, Date.now());
    gpu.request({ model: MODEL, durationMs: 0, keepAliveMs: 3_600_000 }, Date.now());
    simulated = await startSimulatedOllama({ version: '0.33.0', loaded: () => gpu.loaded(Date.now()) });
    const models = [...HOSTILE_NAMES, ...NOT_NAMES].map((model) => ({
      model,
      size: 1,
      details: { quantization_level: model },
    }));
    hostile = await startFakeOllama({ ps: json(JSON.stringify({ models })), version: json(VERSION_BODY) });
    exporters = await Promise.all([
      startExporterProcess(['--demo']),
      startExporterProcess([`--ollama.url=${simulated.url.href}`]),
      startExporterProcess([`--ollama.url=${hostile.url.href}`]),
    ]);
    const [demo, controlled, strange] = exporters.map(({ url }) => url);
    const jobs = { ...(demo && { demo }), ...(controlled && { controlled }), ...(strange && { strange }) };
    const files = { 'prometheus.yml': scrapeEverySecond(jobs) };
    prometheus = await startPrometheus(binaries?.['prometheus'] ?? '', files);
  });

  afterAll(async () => {
    await prometheus?.stop();
    await Promise.all([simulated?.close(), hostile?.close()]);
  });

  /** The first result that is not empty. */
  async function eventually(promql: string) {
    await expect.poll(() => prometheus.query(promql), { timeout: 30_000, interval: 200 }).not.toEqual([]);
    return prometheus.query(promql);
  }

  test('scrapes every target as up, including --demo', async () => {
    for (const job of ['demo', 'controlled', 'strange']) {
      await eventually(`up{job="${job}"} == 1 and on (job) ollama_up == 1`);
    }
  });

  test('stores the model gauges of the demo', async () => {
    const pinned = `job="demo",model="${EMBEDDING_MODEL.name}",quantization="F16"`;
    const [size] = await eventually(`ollama_model_size_bytes{${pinned}}`);
    expect(size?.samples[0]?.[1]).toBe(EMBEDDING_MODEL.sizeBytes);
    const [expiresIn] = await eventually(`ollama_model_expires_in_seconds{${pinned}}`);
    expect(expiresIn?.samples[0]?.[1]).toBe(Number.POSITIVE_INFINITY);
    const [info] = await eventually(`ollama_model_info{${pinned}}`);
    expect(info?.labels).toMatchObject({
      digest: EMBEDDING_MODEL.digest,
      family: 'nomic-bert',
      format: 'gguf',
    });
  });

  test('drops the series of a model within two scrapes of its unload, and keeps the others', async () => {
    const selector = `job="controlled",model="${MODEL.name}"`;
    await eventually(`ollama_model_size_vram_bytes{${selector}}`);
    gpu.stop(MODEL.name, Date.now());
    const unloaded = Date.now() / 1_000;

    const scrapes = async () => {
      const [series] = await prometheus.query('ollama_loaded_models{job="controlled"}[5m]');
      return (series?.samples ?? []).map(([seconds]) => seconds).filter((seconds) => seconds > unloaded);
    };
    await expect.poll(async () => (await scrapes()).length, { timeout: 15_000 }).toBeGreaterThanOrEqual(2);
    const second = (await scrapes())[1];
    expect(await prometheus.query(`{${selector}}`, second)).toEqual([]);
    const others = await prometheus.query(`ollama_model_size_vram_bytes{job="controlled"}`, second);
    expect(others.map(({ labels }) => labels['model'])).toEqual([EMBEDDING_MODEL.name]);
  });

  test('accepts any model name', async () => {
    const series = await eventually('ollama_model_size_bytes{job="strange"}');
    const expected = HOSTILE_NAMES.map((name) => name.replace('\ud800', '\uFFFD'));
    expect(series.map(({ labels }) => labels['model']).sort()).toEqual([...expected].sort());
    expect(series.map(({ labels }) => labels['quantization']).sort()).toEqual([...expected].sort());
  });

  test('promtool check metrics reports no problem', async () => {
    const live = await Promise.all(
      exporters.map(async ({ url }) => (await request(new URL('/metrics', url))).body.text()),
    );
    const down = await runExporter(['--once', '--ollama.url=127.0.0.1:1']);
    const folder = new URL('../fixtures/expositions/', import.meta.url);
    const golden = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
    expect(golden.length).toBeGreaterThan(15);
    for (const input of [...live, down.stdout, ...golden]) {
      const { status, stdout, stderr } = spawnSync(binaries?.['promtool'] ?? '', ['check', 'metrics'], {
        input,
      });
      expect({ status, stdout: stdout.toString(), stderr: stderr.toString() }).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
    }
  });
});
