/**
 * `--collector.runners` next to a genuine Ollama: the counters increase by the usage in the responses, and the gauges
 * agree with the processes.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startExporterProcess } from '../e2e/exporter-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { COUNTERS } from '../runners/counter-names.ts';
import { expectAgreement, scrape, scrapesHeld } from './agreement.ts';
import { tinyModel } from './gguf.ts';
import { type Generation, type Ollama, type Reply, startOllama } from './ollama.ts';

const MAIN = new URL('../../dist/main.js', import.meta.url).pathname;
const HAS_RUNNERS = execFileSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' }).includes(
  'collector.runners',
);

const SLOTS = 4;
const SETTINGS = { OLLAMA_NUM_PARALLEL: String(SLOTS), LLAMA_ARG_ENDPOINT_METRICS: '1' };
const ENDLESS = { num_predict: 1_000_000 };

type Counted = Readonly<Record<keyof typeof COUNTERS, number>>;

function countersOf(exposition: Exposition, model: string): Counted {
  const of = (name: string) => sampleValue(exposition, name, { model }) ?? 0;
  return {
    generated: of(COUNTERS.generated),
    generationSeconds: of(COUNTERS.generationSeconds),
    prompt: of(COUNTERS.prompt),
    cached: of(COUNTERS.cached),
    promptSeconds: of(COUNTERS.promptSeconds),
  };
}

/** The counters that decreased between two scrapes. */
function decreased(readings: readonly Counted[]): readonly string[] {
  return Object.keys(COUNTERS).filter((name) => {
    const values = readings.map((reading) => new Map(Object.entries(reading)).get(name) ?? 0);
    return values.some((value, index) => value < (values[index - 1] ?? 0));
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

describe.skipIf(!HAS_RUNNERS)('the runners of a genuine Ollama', () => {
  let folder: string;
  let ollama: Ollama;
  let exporter: URL;
  /** From 0.32.14, runners count cached prompt tokens, embeddings, and requests whose client disconnected. */
  let countsAll: boolean;
  const generations: Generation[] = [];

  const start = (env: Readonly<Record<string, string>> = SETTINGS) =>
    startOllama(folder, env, ollama === undefined ? undefined : Number(ollama.url.port));

  async function startAgain(): Promise<void> {
    await ollama.stop();
    ollama = await start();
    await found();
  }

  /** The exporter searches for the processes of a server at most once in 10 s. */
  async function found(): Promise<void> {
    await ollama.post('/api/generate', { model: 'one' });
    await expect.poll(() => gauge('slots'), { timeout: 20_000, interval: 500 }).toBe(SLOTS);
  }

  const exporterOf = async ({ url }: Ollama) =>
    (await startExporterProcess([`--ollama.url=${url}`, '--collector.runners'])).url;

  const generate = (model: string, more: Readonly<Record<string, unknown>> = {}) =>
    ollama.post('/api/generate', {
      model,
      prompt: 'once upon a time',
      options: { num_predict: 50 },
      ...more,
    });

  async function busy(model: string, more: Readonly<Record<string, unknown>> = {}): Promise<Generation> {
    const generation = await ollama.generate({ model, prompt: 'a b c', options: ENDLESS, ...more });
    generations.push(generation);
    return generation;
  }

  const gauge = async (name: string, model = 'one:latest') =>
    sampleValue(await scrape(exporter), `ollama_model_${name}`, { model });

  const failure = (exposition: Exposition, reason: string) =>
    sampleValue(exposition, 'ollama_scrape_error', { api: 'runners', reason });

  /** Runs the requests between two scrapes; the counters must have increased by the usage in the responses. */
  async function expectCounted(
    run: () => Promise<readonly Reply[]>,
    model = 'one:latest',
  ): Promise<readonly Reply[]> {
    const before = countersOf(await scrape(exporter), model);
    const replies = await run();
    const { exposition } = await expectAgreement(ollama, exporter);
    const after = countersOf(exposition, model);
    const total = (of: (reply: Reply) => number | undefined) =>
      replies.reduce((sum, reply) => sum + (of(reply) ?? 0), 0);
    const grown = {
      generated: after.generated - before.generated,
      prompt: after.prompt - before.prompt + (after.cached - before.cached),
    };
    const prompt = total(({ prompt_eval_count }) => prompt_eval_count);
    expect(grown.generated, 'generated').toBe(total(({ eval_count }) => eval_count));
    if (countsAll) {
      expect(grown.prompt, 'prompt and cached').toBe(prompt);
    } else {
      expect(grown.prompt, 'prompt').toBeLessThanOrEqual(prompt);
    }
    expect(after.generationSeconds - before.generationSeconds).toBeCloseTo(
      total(({ eval_duration }) => eval_duration) / 1e9,
      1,
    );
    expect(after.promptSeconds).toBeGreaterThanOrEqual(before.promptSeconds);
    return replies;
  }

  const unload = async () => {
    for (const generation of generations.splice(0)) {
      generation.disconnect();
    }
    for (const { name } of await ollama.ps()) {
      await ollama.post('/api/generate', { model: name, keep_alive: 0 }).catch(() => {});
    }
    await expect.poll(() => ollama.ps(), { timeout: 20_000 }).toEqual([]);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ollama-'));
    ollama = await start();
    exporter = await exporterOf(ollama);
    await ollama.create('one', tinyModel(1));
    await ollama.create('two', tinyModel(2));
    await ollama.create('vectors', tinyModel(3, 'embedding'));
    const [, minor = '', patch = ''] =
      /^0\.(\d+)\.(\d+)/.exec(
        JSON.parse(await (await fetch(new URL('/api/version', ollama.url))).text()).version,
      ) ?? [];
    countsAll = Number(minor) > 32 || (Number(minor) === 32 && Number(patch) >= 14);
  });

  afterEach(unload);

  afterAll(async () => {
    await ollama.stop();
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`${scrapesHeld()} scrapes held against Ollama and its runners\n`);
  });

  test('a loaded model has an idle runner with its slots and the memory of its process', async () => {
    await ollama.post('/api/generate', { model: 'one' });
    const { exposition } = await expectAgreement(ollama, exporter);
    const [runner = 0] = ollama.runners();
    expect(sampleValue(exposition, 'ollama_model_runner_up', { model: 'one:latest' })).toBe(1);
    expect(sampleValue(exposition, 'ollama_model_slots', { model: 'one:latest' })).toBe(SLOTS);
    expect(sampleValue(exposition, 'ollama_model_slots_busy', { model: 'one:latest' })).toBe(0);
    expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'runners' })).toBe(1);
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${runner}/status`, 'utf8')) ?? [];
    const resident = sampleValue(exposition, 'ollama_model_runner_resident_memory_bytes', {
      model: 'one:latest',
    });
    expect((resident ?? 0) / (Number(kibibytes) * 1_024)).toBeCloseTo(1, 1);
    expect(countersOf(exposition, 'one:latest')).toMatchObject({ generated: 0, prompt: 0, cached: 0 });
  });

  const chat = { model: 'one', messages: [{ role: 'user', content: 'hello' }] };
  const RUNS: Readonly<Record<string, () => Promise<readonly Reply[]>>> = {
    'a load only': async () => [await ollama.post('/api/generate', { model: 'one' })],
    'the first request since the load': async () => [await generate('one')],
    'a prompt twice': async () => [await generate('one'), await generate('one')],
    'a prompt of 2,000 tokens, and again': async () => {
      const prompt = 'abc '.repeat(500);
      return [await generate('one', { prompt }), await generate('one', { prompt })];
    },
    'a prompt longer than the context': async () => [await generate('one', { prompt: 'abc '.repeat(3_000) })],
    'a stream': async () => [
      await (await ollama.generate({ model: 'one', prompt: 'x', options: { num_predict: 700 } })).finished,
    ],
    'a chat': async () => [await ollama.post('/api/chat', { ...chat, options: { num_predict: 30 } })],
    'temperature 0': async () => [await generate('one', { options: { num_predict: 20, temperature: 0 } })],
    'a stop word': async () => [await generate('one', { options: { num_predict: 500, stop: ['e'] } })],
    'a context shift': async () => [await generate('one', { options: { num_predict: 700, num_ctx: 256 } })],
    'four requests at once': () =>
      Promise.all(Array.from({ length: 4 }, (_, index) => generate('one', { prompt: `${index} a b` }))),
    'twelve requests at once': () =>
      Promise.all(Array.from({ length: 12 }, (_, index) => generate('one', { prompt: `${index % 3} c d` }))),
    'raw, without a template': async () => [await generate('one', { raw: true })],
    'keep_alive -1': async () => [await generate('one', { keep_alive: -1 })],
    '/v1/chat/completions': async () => [await v1('/v1/chat/completions', { ...chat, max_tokens: 40 })],
    '/v1/completions': async () => [
      await v1('/v1/completions', { model: 'one', prompt: 'a b', max_tokens: 40 }),
    ],
  };

  async function v1(path: string, body: Readonly<Record<string, unknown>>): Promise<Reply> {
    const response = await fetch(new URL(path, ollama.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { usage } = JSON.parse(await response.text());
    return { prompt_eval_count: usage.prompt_tokens, eval_count: usage.completion_tokens };
  }

  test.each(Object.entries(RUNS))('tokens are counted exactly: %s', async (name, run) => {
    if (name.startsWith('/v1')) {
      // Without a duration in the response.
      const before = countersOf(await scrape(exporter), 'one:latest');
      const [reply] = await run();
      const after = countersOf(await scrape(exporter), 'one:latest');
      expect(after.generated - before.generated).toBe(reply?.eval_count);
      return;
    }
    await expectCounted(run);
  });

  test('no counter decreases or loses tokens over a hundred requests to two models during scrapes', async () => {
    const models = ['one:latest', 'two:latest'];
    const read = async () => {
      const exposition = await scrape(exporter);
      return models.map((model) => countersOf(exposition, model));
    };
    const requests = async (model: string, first: number): Promise<readonly Reply[]> => {
      const replies: Reply[] = [];
      for (let index = first; index < first + 25; index += 1) {
        const options = { num_predict: 1 + ((index * 37) % 200) };
        replies.push(await generate(model, { prompt: 'ab '.repeat(1 + ((index * 11) % 60)), options }));
      }
      return replies;
    };
    const readings = [await read()];
    const work = Promise.all(
      models.map(async (model) => (await Promise.all([requests(model, 0), requests(model, 25)])).flat()),
    );
    const ended = work.then(() => true);
    // Queried without a pause, runners before Ollama 0.32.14 make little progress.
    while (!(await Promise.race([ended, delay(200, false)]))) {
      readings.push(await read());
    }
    readings.push(await read());
    expect(
      models.flatMap((_, model) => decreased(readings.flatMap((reading) => reading[model] ?? []))),
    ).toEqual([]);
    const generated = (await work).map((replies) => sum(replies.map(({ eval_count }) => eval_count ?? 0)));
    const grown = models.map(
      (_, model) => (readings.at(-1)?.[model]?.generated ?? 0) - (readings[0]?.[model]?.generated ?? 0),
    );
    expect(grown).toEqual(generated);
  });

  test('embeddings count prompt tokens, and generate none', async () => {
    const before = countersOf(await scrape(exporter), 'vectors:latest');
    const replies = [
      await ollama.post('/api/embed', { model: 'vectors', input: 'a b c' }),
      await ollama.post('/api/embed', { model: 'vectors', input: ['a b c', 'd', 'e f'] }),
    ];
    const after = countersOf((await expectAgreement(ollama, exporter)).exposition, 'vectors:latest');
    const tokens = replies.reduce((sum, { prompt_eval_count }) => sum + (prompt_eval_count ?? 0), 0);
    expect(after.generated - before.generated).toBe(0);
    expect(after.prompt - before.prompt + after.cached - before.cached).toBe(countsAll ? tokens : 0);
    expect(await gauge('slots', 'vectors:latest')).toBe(1);
  });

  test('busy slots are the running requests, up to the number of slots', async () => {
    await busy('one');
    expect(await gauge('slots_busy')).toBe(1);
    await busy('one');
    await busy('one');
    expect(await gauge('slots_busy')).toBe(3);
    await busy('one');
    // Ollama queues it until a slot is free.
    const waiting = generate('one', { options: { num_predict: 10 } });
    await expect.poll(() => gauge('slots_busy')).toBe(SLOTS);
    await expectAgreement(ollama, exporter);
    generations.pop()?.disconnect();
    expect((await waiting).eval_count).toBe(10);
    await expect.poll(() => gauge('slots_busy')).toBe(3);
  });

  test('tokens of a disconnected client are counted if the runner counts them', async () => {
    await generate('one');
    const before = countersOf(await scrape(exporter), 'one:latest');
    const generation = await busy('one');
    await expect.poll(() => gauge('slots_busy')).toBe(1);
    generation.disconnect();
    await expect.poll(() => gauge('slots_busy')).toBe(0);
    const after = countersOf(await scrape(exporter), 'one:latest');
    if (countsAll) {
      expect(after.generated).toBeGreaterThan(before.generated);
    } else {
      expect(after.generated).toBe(before.generated);
    }
  });

  test('counters continue across unloads, and stay while the model is unloaded', async () => {
    const first = await expectCounted(async () => [await generate('one')]);
    const before = countersOf(await scrape(exporter), 'one:latest');
    await unload();
    const unloaded = await scrape(exporter);
    expect(countersOf(unloaded, 'one:latest')).toEqual(before);
    expect(unloaded.get('ollama_model_runner_up')?.samples ?? []).toEqual([]);
    const second = await expectCounted(async () => [await generate('one')]);
    expect([...first, ...second].map(({ eval_count }) => eval_count)).toEqual([50, 50]);
  });

  test('two models are counted separately', async () => {
    const before = countersOf(await scrape(exporter), 'two:latest');
    await expectCounted(async () => [
      await generate('one'),
      { ...(await generate('two')), eval_count: 0, prompt_eval_count: 0, eval_duration: 0 },
    ]);
    const after = countersOf(await scrape(exporter), 'two:latest');
    expect(after.generated - before.generated).toBe(50);
  });

  test('a runner older than the exporter is counted from then on', async () => {
    await generate('one');
    const late = await exporterOf(ollama);
    expect(countersOf(await scrape(late), 'one:latest').generated).toBe(0);
    await generate('one', { options: { num_predict: 33 } });
    expect(countersOf(await scrape(late), 'one:latest').generated).toBe(33);
  });

  test('a killed runner leaves a row without a runner, and the next one is added to the counters', async () => {
    await generate('one');
    const before = countersOf(await scrape(exporter), 'one:latest');
    const [runner = 0] = ollama.runners();
    process.kill(runner, 'SIGKILL');
    await expect.poll(() => ollama.runners()).toEqual([]);
    const { exposition, rows } = await expectAgreement(ollama, exporter);
    expect(rows).toHaveLength(1);
    expect(exposition.get('ollama_model_runner_up')?.samples ?? []).toEqual([]);
    expect(exposition.get('ollama_model_slots_busy')?.samples ?? []).toEqual([]);
    expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'runners' })).toBe(0);
    expect(countersOf(exposition, 'one:latest')).toEqual(before);
    await expectCounted(async () => [await generate('one')]);
  });

  test('a suspended runner is not up, and does not delay the scrape of Ollama', async () => {
    await generate('one');
    const [runner = 0] = ollama.runners();
    process.kill(runner, 'SIGSTOP');
    try {
      const started = performance.now();
      const exposition = await scrape(exporter);
      expect(performance.now() - started).toBeLessThan(3_000);
      expect(sampleValue(exposition, 'ollama_up')).toBe(1);
      expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(1);
      expect(sampleValue(exposition, 'ollama_model_runner_up', { model: 'one:latest' })).toBe(0);
      expect(exposition.get('ollama_model_slots')?.samples ?? []).toEqual([]);
      expect(failure(exposition, 'timeout')).toBe(1);
    } finally {
      process.kill(runner, 'SIGCONT');
    }
    await expect.poll(() => gauge('runner_up')).toBe(1);
    await expectCounted(async () => [await generate('one')]);
  });

  test('a name recreated while loaded has two runners, whose slots and tokens are summed', async () => {
    await generate('two', { keep_alive: 300 });
    await ollama.create('two', tinyModel(20));
    await expectCounted(async () => [await generate('two')], 'two:latest');
    const { exposition, rows } = await expectAgreement(ollama, exporter);
    expect(rows).toHaveLength(2);
    expect(sampleValue(exposition, 'ollama_model_slots', { model: 'two:latest' })).toBe(2 * SLOTS);
    await startAgain();
  });

  test('names with the same weights share a runner, and a name deleted while loaded keeps it', async () => {
    await ollama.post('/api/copy', { source: 'one', destination: 'copy' });
    await generate('one');
    await expectCounted(async () => [await generate('copy')]);
    await ollama.create('passing', tinyModel(30));
    await generate('passing', { keep_alive: 3 });
    expect(await gauge('slots', 'passing:latest')).toBe(SLOTS);
    await ollama.delete('passing');
    await ollama.delete('copy');
    expect(await gauge('slots', 'passing:latest')).toBe(SLOTS);
  });

  test('the runners of a second server with the same models are counted separately', async () => {
    const other = mkdtempSync(join(tmpdir(), 'ollama-'));
    const second = await startOllama(other, SETTINGS);
    onTestFinished(async () => {
      await second.stop();
      rmSync(other, { recursive: true, force: true });
    });
    await second.create('one', tinyModel(1));
    const secondExporter = await exporterOf(second);
    await generate('one');
    const before = countersOf(await scrape(exporter), 'one:latest');
    await scrape(secondExporter);
    await second.post('/api/generate', { model: 'one', prompt: 'a', options: { num_predict: 77 } });
    expect(countersOf(await scrape(secondExporter), 'one:latest').generated).toBe(77);
    expect(countersOf(await scrape(exporter), 'one:latest')).toEqual(before);
    expect(await gauge('slots')).toBe(SLOTS);
  });

  test('an orphan of a killed server is not counted for the next one', async () => {
    await generate('one');
    const orphans = ollama.runners();
    onTestFinished(() => {
      for (const orphan of orphans) {
        process.kill(orphan, 'SIGKILL');
      }
    });
    await ollama.stop('SIGKILL');
    expect(sampleValue(await scrape(exporter), 'ollama_up')).toBe(0);
    ollama = await start();
    const idle = await scrape(exporter);
    expect(idle.get('ollama_model_slots')?.samples ?? []).toEqual([]);
    await found();
    await expectCounted(async () => [await generate('one')]);
    expect(await gauge('slots')).toBe(SLOTS);
  });

  test('without LLAMA_ARG_ENDPOINT_METRICS there are slots but no counters', async () => {
    await ollama.stop();
    ollama = await start({ OLLAMA_NUM_PARALLEL: '2' });
    const late = await exporterOf(ollama);
    await generate('one');
    const exposition = await scrape(late);
    expect(sampleValue(exposition, 'ollama_model_runner_up', { model: 'one:latest' })).toBe(1);
    expect(sampleValue(exposition, 'ollama_model_slots', { model: 'one:latest' })).toBe(2);
    expect(exposition.get(COUNTERS.generated)?.samples ?? []).toEqual([]);
    expect(failure(exposition, 'metrics_off')).toBe(1);
    await startAgain();
  });
});
