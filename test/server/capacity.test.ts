import { request } from 'undici';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { startInProcess } from '../exporter-in-process.ts';
import { sampleValue } from '../exposition.ts';
import { createFakeHost, type FakeHost, GIB } from '../fake-host.ts';
import { json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

let ollama: Awaited<ReturnType<typeof startFakeOllama>>;
let machine: FakeHost;

beforeAll(async () => {
  ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
});

afterAll(() => ollama.close());

beforeEach(() => {
  machine = { ...createFakeHost(), retryMs: 20 };
});

async function start(configYaml: string) {
  const exporter = await startInProcess(ollama.url, { machine, configYaml, vramCapacity: 'auto' });
  onTestFinished(exporter.close);
  return exporter;
}

test('the exporter starts without a detected capacity, and exposes it once detected', async () => {
  machine.installNvidiaSmi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18');
  const exporter = await start('modules: {}');
  const first = await exporter.scrape();
  expect(sampleValue(first, 'ollama_up')).toBe(1);
  expect(first.has('ollama_vram_capacity_bytes')).toBe(false);

  machine.installNvidiaSmi('echo 1024');
  const capacity = async () => sampleValue(await exporter.scrape(), 'ollama_vram_capacity_bytes');
  await expect.poll(capacity).toBe(GIB);
  const status = await (await request(new URL('/api/status', exporter.url))).body.json();
  expect(status).toMatchObject({ vram_capacity: GIB });
});

test('a closed exporter stops detecting the capacity', async () => {
  const exporter = await start('modules: {}');
  await exporter.close();
  machine.installNvidiaSmi(`echo x >> ${machine.root}/calls`);
  // There is no event to wait for if nothing is expected to happen.
  await new Promise((resolve) => setTimeout(resolve, 10 * machine.retryMs));
  expect(machine.read('calls')).toBe('');
});

test('the detected capacity applies to the telemetry path only, and a module overrides it', async () => {
  machine.installNvidiaSmi('echo 1024');
  const exporter = await start('modules: { default: { allow: ["127.0.0.0/8"] } }');
  expect(sampleValue(await exporter.scrape(), 'ollama_vram_capacity_bytes')).toBe(GIB);
  const probe = await request(new URL(`/probe?target=${ollama.url.host}`, exporter.url));
  expect(await probe.body.text()).not.toContain('capacity');

  exporter.writeConfig('modules: { default: { vram_capacity: 80G } }');
  await request(new URL('/-/reload', exporter.url), { method: 'POST' });
  expect(sampleValue(await exporter.scrape(), 'ollama_vram_capacity_bytes')).toBe(80 * GIB);
});
