import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { request } from 'undici';
import { afterAll, expect, test } from 'vitest';
import { startInProcess } from '../exporter-in-process.ts';
import { type Exposition, parseExposition, sampleValue } from '../exposition.ts';
import { json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

const SCRAPES = 4_000;
const AT_ONCE = 16;
const GIB = 1024 ** 3;

/** The n-th response has n % 7 models; every value in it identifies n. */
function generation(n: number): string {
  const models = Array.from({ length: n % 7 }, (_, index) => ({
    name: `model-${index}`,
    model: `model-${index}`,
    size: n * GIB + index,
    digest: `${n}-${index}`,
    details: { quantization_level: `Q${index}` },
    expires_at: '2318-12-02T07:01:23.978232596Z',
    size_vram: n * GIB,
    context_length: n + 1,
  }));
  return JSON.stringify({ models });
}

function expectOneGeneration(exposition: Exposition, n: number): void {
  const models = Array.from({ length: n % 7 }, (_, index) => index);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(models.length);
  const values = (name: string) => (exposition.get(name)?.samples ?? []).map(({ value }) => value);
  expect(values('ollama_model_size_bytes')).toEqual(models.map((index) => n * GIB + index));
  expect(values('ollama_model_size_vram_bytes')).toEqual(models.map(() => n * GIB));
  expect(values('ollama_model_context_length_tokens')).toEqual(models.map(() => n + 1));
  expect(values('ollama_model_expires_in_seconds')).toEqual(models.map(() => Number.POSITIVE_INFINITY));
  const digests = exposition.get('ollama_model_info')?.samples.map(({ labels }) => labels['digest']) ?? [];
  expect(digests).toEqual(models.map((index) => `${n}-${index}`));
}

const warnings: Error[] = [];
const remember = (warning: Error) => warnings.push(warning);
process.on('warning', remember);

afterAll(() => {
  process.off('warning', remember);
  expect(warnings, 'of listeners or timers that pile up').toEqual([]);
});

test('each of 4,000 concurrent scrapes returns one consistent and current response', async () => {
  let generations = 0;
  let atOnce = 0;
  const ollama = await startFakeOllama({
    ps: (incoming, response) => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      const body = generation(generations++);
      setImmediate(() => {
        atOnce -= 1;
        json(body)(incoming, response);
      });
    },
    version: json(VERSION_BODY),
  });
  const exporter = await startInProcess(ollama.url);
  let left = SCRAPES;
  const scrapeUntilDone = async () => {
    while (left-- > 0) {
      const before = generations;
      const exposition = await exporter.scrape();
      const n = generationOf(exposition);
      if (n !== undefined) {
        expect(n).toBeGreaterThanOrEqual(before - 1);
        expectOneGeneration(exposition, n);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, scrapeUntilDone));
  expect(generations).toBeGreaterThan(SCRAPES / AT_ONCE / 2);
  expect(generations).toBeLessThanOrEqual(SCRAPES);
  await exporter.close();
  await ollama.close();
});

/** undefined for a response without models, which does not identify it. */
function generationOf(exposition: Exposition): number | undefined {
  const context = exposition.get('ollama_model_context_length_tokens')?.samples[0]?.value;
  if (context === undefined) {
    expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(0);
  }
  return context === undefined ? undefined : context - 1;
}

test('1,000 disconnected scrapers cancel their shared requests, and leave no socket, timer or outage in the log', async () => {
  let requestCount = 0;
  let cancelled = 0;
  const hang: RequestListener = (_request, response) => {
    requestCount += 1;
    response.on('close', () => {
      cancelled += 1;
    });
  };
  const handlers = { ps: hang, version: hang };
  const ollama = await startFakeOllama(handlers);
  const exporter = await startInProcess(ollama.url, { timeoutMs: 60_000 });
  const timers = countTimers();

  for (let round = 0; round < 50; round += 1) {
    const before = requestCount;
    const controllers = Array.from({ length: 20 }, () => new AbortController());
    const scrapers = controllers.map(({ signal }) => request(new URL('/metrics', exporter.url), { signal }));
    while (requestCount < before + 2) {
      await once(ollama.server, 'request');
    }
    for (const controller of controllers) {
      controller.abort();
    }
    await Promise.allSettled(scrapers);
    // Otherwise the next ones would join these.
    await expect.poll(() => cancelled, { timeout: 15_000, interval: 2 }).toBe(requestCount);
  }
  // undici reconnects after an abort, and closes the idle connection after 4 s.
  await expect.poll(() => ollama.connections.size, { timeout: 15_000 }).toBe(0);
  await expect.poll(countTimers, { timeout: 15_000 }).toBeLessThanOrEqual(timers);
  expect(exporter.stateLines()).toEqual([]);

  Object.assign(handlers, { ps: json('{"models":[]}'), version: json(VERSION_BODY) });
  expect(sampleValue(await exporter.scrape(), 'ollama_up')).toBe(1);
  await exporter.close();
  await ollama.close();
});

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

test('the content type is text 0.0.4 for any Accept header', async () => {
  const ollama = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
  const exporter = await startInProcess(ollama.url);
  for (const accept of ['application/openmetrics-text;version=1.0.0,*/*;q=0.1', 'application/json', '*/*']) {
    const { headers, body } = await request(new URL('/metrics', exporter.url), { headers: { accept } });
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    parseExposition(await body.text());
  }
  await exporter.close();
  await ollama.close();
});
