/** The exporter's metrics of a genuine Ollama, in every state of its models and of the server itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startExporterProcess } from '../e2e/exporter-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { expectAgreement, scrape, scrapesHeld } from './agreement.ts';
import { tinyModel } from './gguf.ts';
import { type Generation, type Ollama, startOllama } from './ollama.ts';

const ENDLESS = { num_predict: 1_000_000 };
const IN_SECONDS = 'ollama_model_expires_in_seconds';

const SETTINGS = { OLLAMA_NUM_PARALLEL: '4', OLLAMA_MAX_LOADED_MODELS: '3' };

let folder: string;
let ollama: Ollama;
let exporter: URL;

const agree = () => expectAgreement(ollama, exporter);

const generations: Generation[] = [];

/** Generates until the test ends. */
async function busy(model: string, keepAlive: number | string): Promise<Generation> {
  const generation = await ollama.generate({
    model,
    prompt: 'once upon a time',
    keep_alive: keepAlive,
    options: ENDLESS,
  });
  generations.push(generation);
  return generation;
}

const load = (model: string, keepAlive?: number | string) =>
  ollama.post('/api/generate', { model, ...(keepAlive !== undefined && { keep_alive: keepAlive }) });

/** Without waiting for a fixed time. */
const expectRows = (names: readonly string[]) =>
  expect
    .poll(async () => (await ollama.ps()).map(({ name }) => name).sort(), { timeout: 20_000 })
    .toEqual(names);

async function startAgain(env: Readonly<Record<string, string>> = {}) {
  await ollama.stop();
  ollama = await startOllama(folder, { ...SETTINGS, ...env }, Number(ollama.url.port));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ollama-'));
  ollama = await startOllama(folder, SETTINGS);
  ({ url: exporter } = await startExporterProcess([`--ollama.url=${ollama.url}`, '--collector.tags']));
  for (const [index, model] of ['one', 'two', 'three', 'four'].entries()) {
    await ollama.create(model, tinyModel(index));
  }
  await ollama.create('vectors', tinyModel(5, 'embedding'));
});

afterEach(async () => {
  for (const generation of generations.splice(0)) {
    generation.disconnect();
  }
  for (const { name } of await ollama.ps()) {
    await load(name, 0).catch(() => {});
  }
  await expectRows([]);
});

afterAll(async () => {
  await ollama.stop();
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`${scrapesHeld()} scrapes held against Ollama\n`);
});

test('an idle server has its version, no loaded model, and its installed models', async () => {
  const { exposition } = await agree();
  const { version } = JSON.parse(await (await fetch(new URL('/api/version', ollama.url))).text());
  expect(sampleValue(exposition, 'ollama_version_info', { version })).toBe(1);
  await expectInstalled(exposition);
});

async function expectInstalled(exposition: Exposition): Promise<void> {
  const { models } = JSON.parse(await (await fetch(new URL('/api/tags', ollama.url))).text());
  expect(sampleValue(exposition, 'ollama_installed_models')).toBe(models.length);
  for (const { name, size, modified_at } of models) {
    expect(sampleValue(exposition, 'ollama_installed_model_size_bytes', { model: name })).toBe(size);
    expect(
      sampleValue(exposition, 'ollama_installed_model_modified_timestamp_seconds', { model: name }),
    ).toBe(Date.parse(modified_at) / 1_000);
  }
}

test('a model can be loaded without a request, and has a keep-alive of 5 minutes', async () => {
  expect(await load('one')).toMatchObject({ done_reason: 'load' });
  const { exposition } = await agree();
  expect(sampleValue(exposition, IN_SECONDS, { model: 'one:latest' })).toBeCloseTo(300, -1);
  expect(sampleValue(exposition, 'ollama_model_size_bytes', { model: 'one:latest' })).toBeGreaterThan(0);
});

test.each([
  [15, 15],
  ['1.5s', 1.5],
  ['75s', 75],
  ['59m59s', 3_599],
  ['61m', 3_660],
  ['100m', 6_000],
  ['47h', 169_200],
  ['300h', 1_080_000],
  ['1000h', 3_600_000],
  ['10000h', 36_000_000],
  ['100000h', 360_000_000],
  ['183950h', 662_220_000],
  ['183970h', Number.POSITIVE_INFINITY],
  [-1, Number.POSITIVE_INFINITY],
  ['-1m', Number.POSITIVE_INFINITY],
])('keep_alive %s gives an expiry in %s s, as in ollama ps', async (keepAlive, seconds) => {
  await load('one', keepAlive);
  const { exposition } = await agree();
  const remaining = sampleValue(exposition, IN_SECONDS, { model: 'one:latest' });
  expect(remaining).toBeLessThanOrEqual(seconds);
  expect(remaining).toBeGreaterThan(seconds === Number.POSITIVE_INFINITY ? 1e300 : seconds - 10);
});

test('the row of a model disappears when its keep-alive ends', async () => {
  await load('one', 1);
  await expectRows([]);
  await agree();
});

test('keep_alive 0 unloads a model after its request, or at once', async () => {
  const options = { num_predict: 5 };
  const reply = await ollama.post('/api/generate', { model: 'one', prompt: 'a', keep_alive: 0, options });
  expect(reply).toMatchObject({ done_reason: 'length', eval_count: 5 });
  await expectRows([]);
  await agree();
  await load('one');
  expect(await load('one', 0)).toMatchObject({ done_reason: 'unload' });
  await expectRows([]);
  await agree();
});

test('during the first request after a load, the time to expiry stays at keep_alive', async () => {
  await busy('one', 30);
  const first = await agree();
  const second = await agree();
  for (const { exposition } of [first, second]) {
    expect(sampleValue(exposition, IN_SECONDS, { model: 'one:latest' })).toBeCloseTo(30, 1);
  }
});

test('during a later request, the expiry becomes negative', async () => {
  await load('one', 1);
  await busy('one', 1);
  await expect
    .poll(async () => sampleValue(await scrape(exporter), IN_SECONDS, { model: 'one:latest' }), {
      timeout: 20_000,
    })
    .toBeLessThan(0);
  await agree();
});

test('a model stopped while busy has a negative expiry until its client disconnects', async () => {
  const generation = await busy('one', 300);
  await ollama.cli('stop', 'one');
  const { exposition } = await agree();
  expect(sampleValue(exposition, IN_SECONDS, { model: 'one:latest' })).toBeLessThan(0);
  generation.disconnect();
  await expectRows([]);
  await agree();
});

test('a disconnected client leaves the model idle, with a new expiry', async () => {
  const generation = await busy('one', 300);
  const [{ expires_at = '' } = {}] = await ollama.ps();
  generation.disconnect();
  await expect
    .poll(async () => {
      const [earlier, later] = [await ollama.ps(), await ollama.ps()];
      return earlier[0]?.expires_at === later[0]?.expires_at;
    })
    .toBe(true);
  const { exposition } = await agree();
  const expiry = sampleValue(exposition, 'ollama_model_expires_timestamp_seconds', { model: 'one:latest' });
  expect(expiry).toBeGreaterThanOrEqual(Date.parse(expires_at) / 1_000);
});

test('eight concurrent requests are one row', async () => {
  const requests = Array.from({ length: 8 }, (_, index) =>
    ollama.post('/api/generate', {
      model: 'one',
      prompt: `number ${index}`,
      options: { num_predict: 300 },
    }),
  );
  await expectRows(['one:latest']);
  await agree();
  expect((await Promise.all(requests)).map(({ eval_count }) => eval_count)).toEqual(Array(8).fill(300));
  const { rows } = await agree();
  expect(rows).toHaveLength(1);
});

test('several models are loaded, and a fourth evicts one', async () => {
  await load('one', 100);
  await load('two', 200);
  await load('three', 300);
  expect((await agree()).rows).toHaveLength(3);
  await load('four', -1);
  await expectRows(['four:latest', 'three:latest', 'two:latest']);
  await agree();
});

test('a name recreated while loaded has two rows, whose sizes are summed', async () => {
  onTestFinished(() => ollama.create('two', tinyModel(1)));
  await load('two', 100);
  await ollama.create('two', tinyModel(10));
  expect((await agree()).rows).toHaveLength(1);
  await load('two', 200);
  const { rows, exposition } = await agree();
  expect(new Set(rows.map(({ digest }) => digest)).size).toBe(2);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(2);
  await expectInstalled(exposition);
  // Only the newer one can be unloaded by name; the older one must expire.
  await startAgain();
});

test('a copy shares the row of the name loaded first', async () => {
  await ollama.post('/api/copy', { source: 'one', destination: 'copy' });
  onTestFinished(() => ollama.delete('copy'));
  await load('one', 100);
  await load('copy', 200);
  const { rows, exposition } = await agree();
  expect(rows.map(({ name }) => name)).toEqual(['one:latest']);
  expect(sampleValue(exposition, IN_SECONDS, { model: 'one:latest' })).toBeCloseTo(200, -1);
});

test('a model deleted while loaded keeps its row', async () => {
  await ollama.create('passing', tinyModel(11));
  await load('passing', 3);
  await ollama.delete('passing');
  const { rows, exposition } = await agree();
  expect(rows.map(({ name }) => name)).toEqual(['passing:latest']);
  await expectInstalled(exposition);
  await expectRows([]);
});

test('an embedding model has a row', async () => {
  const reply = await ollama.post('/api/embed', { model: 'vectors', input: ['a b', 'c'] });
  expect(reply.prompt_eval_count).toBeGreaterThan(0);
  const { rows } = await agree();
  expect(rows.map(({ name }) => name)).toEqual(['vectors:latest']);
});

test('an unknown model changes nothing', async () => {
  await expect(load('nothing')).rejects.toThrow('404');
  await agree();
});

test('a killed runner leaves its row, and the next request starts another', async () => {
  await load('one', 300);
  const [runner = 0] = ollama.runners();
  process.kill(runner, 'SIGKILL');
  await expect.poll(() => ollama.runners()).toEqual([]);
  expect((await agree()).rows).toHaveLength(1);
  const reply = await ollama.post('/api/generate', {
    model: 'one',
    prompt: 'a',
    options: { num_predict: 5 },
  });
  expect(reply.eval_count).toBe(5);
  expect((await agree()).rows).toHaveLength(1);
  expect(ollama.runners()).not.toContain(runner);
});

describe('the server', () => {
  const error = (exposition: Exposition, reason: string) =>
    sampleValue(exposition, 'ollama_scrape_error', { api: 'ps', reason });

  function expectDown(exposition: Exposition, reason: string): void {
    expect(sampleValue(exposition, 'ollama_up')).toBe(0);
    expect(error(exposition, reason)).toBe(1);
    expect(
      [...exposition].filter(([name, { samples }]) => /_models?(_|$)/.test(name) && samples.length > 0),
    ).toEqual([]);
  }

  test('is down with reason refused when stopped, and up without models after a restart in another time zone', async () => {
    await load('one');
    await ollama.stop();
    expectDown(await scrape(exporter), 'refused');
    await startAgain({ TZ: 'Asia/Kathmandu' });
    expect((await agree()).rows).toEqual([]);
    await load('one', 300);
    await agree();
    await startAgain();
  });

  test('is down when killed, and the next server does not count the remaining runner', async () => {
    await load('one');
    const orphans = ollama.runners();
    onTestFinished(() => {
      for (const orphan of orphans) {
        process.kill(orphan, 'SIGKILL');
      }
    });
    await ollama.stop('SIGKILL');
    expectDown(await scrape(exporter), 'refused');
    await startAgain();
    expect((await agree()).rows).toEqual([]);
  });

  test('is down with reason timeout when suspended, and up afterwards', async () => {
    await load('one');
    process.kill(ollama.pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(ollama.pid, 'SIGCONT'));
    expectDown(await scrape(exporter), 'timeout');
    process.kill(ollama.pid, 'SIGCONT');
    await agree();
  });

  test('is down with reason status if it rejects the Origin header', async () => {
    const config = join(folder, 'exporter.yml');
    writeFileSync(config, 'modules: { default: { headers: { Origin: "http://example.com" } } }');
    const { url } = await startExporterProcess([`--ollama.url=${ollama.url}`, `--config.file=${config}`]);
    expectDown(await scrape(url), 'status');
  });
});
