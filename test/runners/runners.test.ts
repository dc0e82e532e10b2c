import { once } from 'node:events';
import type { RequestListener, ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import pino from 'pino';
import { request } from 'undici';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { InProcessExporter } from '../exporter-in-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { json } from '../fake-ollama.ts';
import { COUNTERS } from './counter-names.ts';
import { type FakeMachine, metrics, slots, startFakeMachine } from './fake-machine.ts';
import { hash, llamaServer, ollamaServe } from './fake-proc.ts';

let machine: FakeMachine;

beforeEach(async () => {
  machine = await startFakeMachine();
});

const GAUGES = {
  up: 'ollama_model_runner_up',
  slots: 'ollama_model_slots',
  busy: 'ollama_model_slots_busy',
  memory: 'ollama_model_runner_resident_memory_bytes',
};

/** The values of a model by short names, without missing series. */
function valuesOf(exposition: Exposition, names: Readonly<Record<string, string>>, model: string) {
  const entries = Object.entries(names).map(
    ([key, name]) => [key, sampleValue(exposition, name, { model })] as const,
  );
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

const gaugesOf = (exposition: Exposition, model = 'a') => valuesOf(exposition, GAUGES, model);
const countersOf = (exposition: Exposition, model = 'a') => valuesOf(exposition, COUNTERS, model);

function reasons(exposition: Exposition): readonly string[] {
  const samples = exposition.get('ollama_scrape_error')?.samples ?? [];
  return samples
    .filter(({ labels }) => labels['api'] === 'runners')
    .map(({ labels }) => labels['reason'] ?? '');
}

function succeeded(exposition: Exposition): number | undefined {
  return sampleValue(exposition, 'ollama_scrape_success', { api: 'runners' });
}

test('busy slots, tokens and memory of each loaded model are exposed', async () => {
  machine.load('a');
  machine.load('b');
  const a = await machine.run('a', { residentKib: 500 });
  a.slots = slots(4, 3);
  a.metrics = metrics({
    generated: 610,
    generationSeconds: 2.5,
    prompt: 44,
    cached: 20,
    promptSeconds: 0.146,
  });
  await machine.run('b');
  const exposition = await (await machine.start()).scrape();
  expect(gaugesOf(exposition)).toEqual({ up: 1, slots: 4, busy: 3, memory: 512_000 });
  expect(countersOf(exposition)).toEqual({
    generated: 610,
    generationSeconds: 2.5,
    prompt: 44,
    cached: 20,
    promptSeconds: 0.146,
  });
  expect(gaugesOf(exposition, 'b')).toMatchObject({ up: 1, slots: 4, busy: 0 });
  expect(exposition.get(COUNTERS.generated)?.type).toBe('counter');
  expect(exposition.get(COUNTERS.generated)?.samples[0]?.labels).toEqual({
    model: 'a',
    quantization: 'Q4_K_M',
  });
  expect({ success: succeeded(exposition), reasons: reasons(exposition) }).toEqual({
    success: 1,
    reasons: [],
  });
  expect(sampleValue(exposition, 'ollama_scrape_duration_seconds', { api: 'runners' })).toBeGreaterThan(0);
});

test('/slots is queried once, and then busy slots are read from /metrics', async () => {
  machine.load('a');
  const a = await machine.run('a');
  a.slots = slots(4, 1);
  const metricsWith = (busy: number): RequestListener =>
    json(`llamacpp:tokens_predicted_total 1\nllamacpp:requests_processing ${busy}\n`);
  a.metrics = metricsWith(1);
  const exporter = await machine.start();
  expect(gaugesOf(await exporter.scrape())).toMatchObject({ slots: 4, busy: 1 });
  a.metrics = metricsWith(3);
  expect(gaugesOf(await exporter.scrape())).toMatchObject({ slots: 4, busy: 3 });
  expect(a.requested).toEqual(['/metrics', '/slots', '/metrics']);
  a.metrics = metricsWith(5);
  a.slots = slots(8, 5);
  expect(gaugesOf(await exporter.scrape())).toMatchObject({ slots: 8, busy: 5 });
});

test('an orphan of a killed server does not count as a runner of the next one', async () => {
  machine.load('a');
  const orphan = await machine.run('a');
  orphan.slots = slots(4, 4);
  const exporter = await machine.start();
  expect(gaugesOf(await exporter.scrape())).toMatchObject({ busy: 4 });
  machine.proc.remove(100);
  machine.proc.add({ ...orphan.process, parent: 1 });
  machine.proc.add(ollamaServe(110, [Number(machine.url.port)]));
  const exposition = await exporter.scrape();
  expect(gaugesOf(exposition)).toEqual({});
  expect(reasons(exposition)).toEqual(['hidden']);
});

test('without --collector.runners, no runner is queried and no series exists', async () => {
  machine.load('a');
  const a = await machine.run('a');
  const exposition = await (await machine.start({ collectRunners: false })).scrape();
  expect(
    [...exposition.keys()].filter((name) => /runner|slots|token/.test(name) && !/context/.test(name)),
  ).toEqual([]);
  expect(succeeded(exposition)).toBe(undefined);
  expect(a.requested).toEqual([]);
});

test('/probe never has runners, even for the same Ollama', async () => {
  machine.load('a');
  await machine.run('a');
  const exporter = await machine.start({ configYaml: 'modules: { default: { allow: ["127.0.0.0/8"] } }' });
  await exporter.scrape();
  const { body } = await request(new URL(`/probe?target=${machine.url.host}`, exporter.url));
  const text = await body.text();
  expect(text).toContain('ollama_model_size_bytes{model="a"');
  expect(text).not.toMatch(/runner|slots|generated/);
});

describe('the counters', () => {
  test('of a runner older than the exporter start at 0, and increase by what is added', async () => {
    machine.load('a');
    const a = await machine.run('a', { startTicks: 100 });
    a.metrics = metrics({ generated: 5_000, prompt: 9_000 });
    const exporter = await machine.start();
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 0, prompt: 0 });
    a.metrics = metrics({ generated: 5_300, prompt: 9_001 });
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 300, prompt: 1 });
  });

  test('never decrease when a model is loaded again', async () => {
    machine.load('a');
    const first = await machine.run('a');
    first.metrics = metrics({ generated: 100 });
    const exporter = await machine.start();
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 100 });
    first.kill();
    machine.rows = [];
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 100 });
    machine.load('a');
    const second = await machine.run('a');
    second.metrics = metrics({ generated: 40 });
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 140 });
  });

  test('include a runner that reuses a pid', async () => {
    machine.load('a');
    const first = await machine.run('a');
    first.metrics = metrics({ generated: 100 });
    const exporter = await machine.start();
    await exporter.scrape();
    machine.proc.add({ ...first.process, startTicks: 9_999 });
    first.metrics = metrics({ generated: 150 });
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 250 });
  });

  test('stay and lose nothing if a response is missing', async () => {
    machine.load('a');
    const a = await machine.run('a');
    a.metrics = metrics({ generated: 100 });
    const exporter = await machine.start();
    await exporter.scrape();
    a.metrics = (_request, response) => response.destroy();
    const missed = await exporter.scrape();
    expect(countersOf(missed)).toEqual({ generated: 100 });
    expect(gaugesOf(missed)).toEqual({ up: 0, memory: 1_024_000 });
    a.metrics = metrics({ generated: 130 });
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 130 });
  });

  test('do not increase if a runner reports less, or the same value again', async () => {
    machine.load('a');
    const a = await machine.run('a');
    const exporter = await machine.start();
    for (const [generated, total] of [
      [100, 100],
      [10, 100],
      [100, 100],
      [101, 101],
    ] as const) {
      a.metrics = metrics({ generated });
      expect(countersOf(await exporter.scrape())).toEqual({ generated: total });
    }
  });

  test('sum two rows of the same name, without a reset when one is unloaded', async () => {
    const old = machine.load('a', 'old');
    const oldRunner = await machine.run('old');
    oldRunner.metrics = metrics({ generated: 1_000 });
    oldRunner.slots = slots(4, 1);
    const exporter = await machine.start();
    await exporter.scrape();
    machine.load('a', 'new');
    const newRunner = await machine.run('new');
    newRunner.metrics = metrics({ generated: 20 });
    newRunner.slots = slots(2, 2);
    const both = await exporter.scrape();
    expect(countersOf(both)).toEqual({ generated: 1_020 });
    expect(gaugesOf(both)).toEqual({ up: 1, slots: 6, busy: 3, memory: 2_048_000 });
    machine.rows = machine.rows.filter((row) => row !== old);
    oldRunner.kill();
    newRunner.metrics = metrics({ generated: 25 });
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 1_025 });
  });

  test('of llama-server before b10434 have no cached tokens', async () => {
    machine.load('a');
    const a = await machine.run('a');
    a.metrics = metrics({ generated: 5, prompt: 7 });
    expect(countersOf(await (await machine.start()).scrape())).toEqual({ generated: 5, prompt: 7 });
  });

  test('are kept for 256 unloaded names', async () => {
    const exporter = await machine.start();
    for (let first = 0; first < 260; first += 52) {
      machine.rows = [];
      const names = Array.from({ length: 52 }, (_, index) => `m${first + index}`);
      const runners = await Promise.all(
        names.map(async (name) => {
          machine.load(name);
          return await machine.run(name);
        }),
      );
      await exporter.scrape();
      for (const runner of runners) {
        runner.kill();
      }
    }
    machine.rows = [];
    const names = (await exporter.scrape())
      .get(COUNTERS.generated)
      ?.samples.map(({ labels }) => labels['model']);
    expect(names).toHaveLength(256);
    expect(names).not.toContain('m0');
    expect(names).toContain('m4');
  });
});

describe('a runner without /metrics', () => {
  const off = json('{"error":{"code":501}}');

  test('still has its slots, and the log and the page report the missing counters', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'info' }, { write: (line) => lines.push(line) });
    machine.load('a');
    const a = await machine.run('a');
    a.metrics = (message, response) => {
      response.statusCode = 501;
      off(message, response);
    };
    a.slots = slots(4, 2);
    const exporter = await machine.start({ log });
    const exposition = await exporter.scrape();
    await exporter.scrape();
    expect(gaugesOf(exposition)).toMatchObject({ up: 1, slots: 4, busy: 2 });
    expect(countersOf(exposition)).toEqual({});
    expect(reasons(exposition)).toEqual(['metrics_off']);
    const logged = lines.filter((line) => line.includes('metrics_off'));
    expect(logged).toHaveLength(1);
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({
      level: 30,
      hint: expect.stringContaining('LLAMA_ARG_ENDPOINT_METRICS=1'),
    });
    const page = await textOf(exporter, '/');
    expect(page).toContain('LLAMA_ARG_ENDPOINT_METRICS=1');
    expect(page).toContain('>Up<');
    expect(page).toContain('2 of 4');
  });

  test('is no longer reported after Ollama was restarted with metrics', async () => {
    machine.load('a');
    const a = await machine.run('a');
    a.metrics = (_message, response) => response.writeHead(501).end();
    const exporter = await machine.start();
    expect(succeeded(await exporter.scrape())).toBe(0);
    a.metrics = metrics({ generated: 1 });
    expect(succeeded(await exporter.scrape())).toBe(1);
  });
});

async function textOf(exporter: InProcessExporter, path: string): Promise<string> {
  return await (await request(new URL(path, exporter.url))).body.text();
}

test('/api/status has slots and problems, and its state depends only on Ollama', async () => {
  machine.load('a');
  machine.load('gone');
  const a = await machine.run('a');
  a.slots = slots(4, 2);
  const status = JSON.parse(await textOf(await machine.start(), '/api/status'));
  expect(status).toMatchObject({
    state: 'up',
    runners: true,
    problems: [{ api: 'runners', reason: 'not_found', message: 'no runner of gone was found' }],
    models: [
      { model: 'a', slots: 4, slots_busy: 2 },
      { model: 'gone', slots: null, slots_busy: null },
    ],
  });
});

describe('rows and blobs:', () => {
  test('each digest is looked up once, not at each scrape', async () => {
    machine.load('a');
    machine.load('b');
    await machine.run('a');
    await machine.run('b');
    const exporter = await machine.start();
    await exporter.scrape();
    await exporter.scrape();
    expect(machine.requested.filter((path) => path !== '/api/ps').sort()).toEqual([
      '/api/show a',
      '/api/show b',
      '/api/tags',
    ]);
  });

  test('a name recreated before its lookup has no runner', async () => {
    machine.load('a', 'old');
    await machine.run('old');
    machine.installed.set('a', hash('another manifest'));
    const exporter = await machine.start();
    const exposition = await exporter.scrape();
    expect(gaugesOf(exposition)).toEqual({});
    expect(reasons(exposition)).toEqual(['unmapped']);
    await exporter.scrape();
    expect(machine.requested.filter((path) => path === '/api/tags')).toHaveLength(1);
  });

  test('a name deleted while loaded keeps its runner', async () => {
    machine.load('a');
    await machine.run('a');
    const exporter = await machine.start();
    await exporter.scrape();
    machine.installed.clear();
    expect(gaugesOf(await exporter.scrape())).toMatchObject({ up: 1 });
  });

  test('a failed lookup is reported, and retried', async () => {
    machine.load('a');
    await machine.run('a');
    const { tags } = machine.handlers;
    machine.handlers.tags = (_request, response) => response.writeHead(500).end();
    const exporter = await machine.start();
    expect(reasons(await exporter.scrape())).toEqual(['status']);
    machine.handlers.tags = tags;
    expect(reasons(await exporter.scrape())).toEqual([]);
  });

  test('a row without a size, such as a cloud model, is not looked up', async () => {
    machine.load('a');
    machine.rows = [{ ...machine.rows[0], model: 'a', size: 0 }];
    await machine.run('a');
    await (await machine.start()).scrape();
    expect(machine.requested).not.toContain('/api/show a');
  });
});

test('a killed runner, whose row remains, is not_found and has no series', async () => {
  machine.load('a');
  const a = await machine.run('a');
  const exporter = await machine.start();
  await exporter.scrape();
  a.kill();
  const exposition = await exporter.scrape();
  expect(gaugesOf(exposition)).toEqual({});
  expect(reasons(exposition)).toEqual(['not_found']);
  expect(sampleValue(exposition, 'ollama_model_size_bytes', { model: 'a' })).toBe(1_000);
});

test('a runner without a row, such as a loading one, has no series', async () => {
  const a = await machine.run('a');
  a.metrics = (_request, response) => response.writeHead(503).end('Loading model');
  const exposition = await (await machine.start()).scrape();
  expect(succeeded(exposition)).toBe(1);
  expect(exposition.has('ollama_model_runner_up')).toBe(false);
});

test('the runner of another server is never exposed, even for the same blob', async () => {
  machine.load('a');
  machine.proc.listen({ port: 22_222 }).add(ollamaServe(101, [22_222]));
  const other = await machine.run('a', { parent: 101 });
  expect(reasons(await (await machine.start()).scrape())).toEqual(['not_found']);
  expect(other.requested).toEqual([]);
});

test('indistinguishable servers are reported as ambiguous, on the page too', async () => {
  machine.load('a');
  await machine.run('a');
  machine.proc.add(ollamaServe(100, undefined), ollamaServe(101, undefined));
  const exporter = await machine.start();
  const exposition = await exporter.scrape();
  expect(reasons(exposition)).toEqual(['ambiguous']);
  expect(gaugesOf(exposition)).toEqual({});
  expect(await textOf(exporter, '/')).toContain('so that it can see which server listens');
});

test('hidden processes are reported as hidden, not as missing runners', async () => {
  machine.load('a');
  await machine.run('a');
  machine.proc.remove(100);
  machine.proc.remove(200);
  const exposition = await (await machine.start()).scrape();
  expect(reasons(exposition)).toEqual(['hidden']);
});

test('an Ollama that is down has no runners and no runner errors', async () => {
  machine.load('a');
  await machine.run('a');
  machine.handlers.ps = (_request, response) => response.writeHead(500).end();
  const exposition = await (await machine.start()).scrape();
  expect(succeeded(exposition)).toBe(undefined);
  expect(sampleValue(exposition, 'ollama_scrape_error', { api: 'ps', reason: 'status' })).toBe(1);
});

describe('runners other than llama-server only have memory:', () => {
  test.each([
    [
      'Ollama before 0.30',
      ['ollama', 'runner', '--ollama-engine', '--model', `/x/blobs/sha256-${hash('a')}`],
    ],
    ['MLX', ['ollama', 'runner', '--mlx-engine', '--model', 'a']],
    ['MLX, by the name without its tag', ['ollama', 'runner', '--mlx-engine', '--model', 'library:latest']],
  ])('%s', async (what, argv) => {
    const name = what.includes('tag') ? 'library:latest' : 'a';
    machine.load(name, 'a');
    const runner = await machine.run('a', { comm: 'ollama', residentKib: 300 });
    const short = what.includes('tag') ? argv.map((word) => word.replace(':latest', '')) : argv;
    machine.proc.add({ ...runner.process, argv: [...short, '--port', String(runner.port)] });
    const exposition = await (await machine.start()).scrape();
    expect(gaugesOf(exposition, name)).toEqual({ memory: 307_200 });
    expect(reasons(exposition)).toEqual([]);
    expect(runner.requested).toEqual([]);
  });
});

describe('isolation:', () => {
  const never = () => {};

  test('a stopped runner delays the scrape by a second, and leaves ollama_up at 1', async () => {
    machine.load('a');
    machine.load('b');
    const a = await machine.run('a');
    a.metrics = never;
    (await machine.run('b')).slots = slots(4, 1);
    const start = performance.now();
    const exposition = await (await machine.start()).scrape();
    expect(performance.now() - start).toBeLessThan(1_900);
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(gaugesOf(exposition)).toEqual({ up: 0, memory: 1_024_000 });
    expect(gaugesOf(exposition, 'b')).toMatchObject({ up: 1, busy: 1 });
    expect(reasons(exposition)).toEqual(['timeout']);
  });

  test("a scrape with a short timeout has Ollama's metrics, and a timeout of the runners", async () => {
    machine.load('a');
    (await machine.run('a')).metrics = never;
    const exporter = await machine.start();
    const start = performance.now();
    const { body } = await request(new URL('/metrics', exporter.url), {
      headers: { 'x-prometheus-scrape-timeout-seconds': '0.4' },
    });
    const text = await body.text();
    expect(performance.now() - start).toBeLessThan(900);
    expect(text).toContain('\nollama_up 1\n');
    expect(text).toContain('ollama_scrape_error{api="runners",reason="timeout"} 1');
    expect(text).not.toContain('ollama_model_slots');
  });

  test('a pending request to a runner is not repeated, and its late response counts', async () => {
    machine.load('a');
    const a = await machine.run('a');
    let pending: ServerResponse | undefined;
    a.metrics = (_request, response) => {
      pending = response;
    };
    const exporter = await machine.start();
    await exporter.scrape();
    await exporter.scrape();
    expect(a.requested).toEqual(['/metrics']);
    const third = exporter.scrape();
    a.metrics = metrics({ generated: 7 });
    setTimeout(() => pending?.end('llamacpp:tokens_predicted_total 5\n'), 100);
    const exposition = await third;
    expect(countersOf(exposition)).toEqual({ generated: 5 });
    expect(gaugesOf(exposition)).toMatchObject({ up: 1, slots: 4 });
    expect(a.requested).toEqual(['/metrics', '/slots']);
    expect(countersOf(await exporter.scrape())).toEqual({ generated: 7 });
  });

  test('concurrent scrapes, pages and /api/status query a runner once', async () => {
    machine.load('a');
    const a = await machine.run('a');
    const responses: ServerResponse[] = [];
    a.metrics = (_request, response) => {
      responses.push(response);
      setTimeout(() => response.end('llamacpp:tokens_predicted_total 5\n'), 300);
    };
    const exporter = await machine.start();
    await Promise.all([exporter.scrape(), textOf(exporter, '/'), textOf(exporter, '/api/status')]);
    expect(responses).toHaveLength(1);
  });

  test('a runner that does not respond does not delay the shutdown', async () => {
    machine.load('a');
    const a = await machine.run('a');
    a.metrics = never;
    const exporter = await machine.start();
    const scrape = exporter.scrape().catch(() => {});
    await expect.poll(() => a.requested).toEqual(['/metrics']);
    const start = performance.now();
    await exporter.close();
    expect(performance.now() - start).toBeLessThan(3_000);
    await scrape;
  });

  test('a response is discarded if the pid was reused meanwhile', async () => {
    machine.load('a');
    const a = await machine.run('a');
    a.slots = (message, response) => {
      machine.proc.add({ ...a.process, startTicks: 9_999 });
      slots(4, 4)(message, response);
    };
    const exposition = await (await machine.start()).scrape();
    expect(gaugesOf(exposition)).toEqual({});
    expect(countersOf(exposition)).toEqual({});
  });

  test('a slow runner does not delay /api/version and /api/ps', async () => {
    machine.load('a');
    (await machine.run('a')).metrics = never;
    const exposition = await (await machine.start()).scrape();
    const seconds = (api: string) => sampleValue(exposition, 'ollama_scrape_duration_seconds', { api }) ?? 9;
    expect(seconds('ps')).toBeLessThan(0.9);
    expect(seconds('runners')).toBeGreaterThanOrEqual(0.9);
  });

  test('64 runners are read without a warning of Node.js', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const names = Array.from({ length: 64 }, (_, index) => `m${index}`);
    for (const name of names) {
      machine.load(name);
      await machine.run(name);
    }
    const exporter = await machine.start();
    await exporter.scrape();
    const exposition = await exporter.scrape();
    expect(exposition.get('ollama_model_slots')?.samples).toHaveLength(64);
    expect(reasons(exposition)).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test('65 runners are too_large, and none is queried', async () => {
    machine.load('a');
    const a = await machine.run('a');
    for (let pid = 1_000; pid < 1_064; pid += 1) {
      machine.proc.add({ ...a.process, pid });
    }
    expect(reasons(await (await machine.start()).scrape())).toEqual(['too_large']);
    expect(a.requested).toEqual([]);
  });
});

describe('if a runner returns', () => {
  const endless = (_request: unknown, response: ServerResponse) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) {}
    };
    response.on('drain', more);
    more();
  };
  const drip = (_request: unknown, response: ServerResponse) => {
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  };

  test.each<[string, (runner: Awaited<ReturnType<FakeMachine['run']>>) => void, string]>([
    ['an endless /metrics', (runner) => (runner.metrics = endless), 'too_large'],
    ['an endless /slots', (runner) => (runner.slots = endless), 'too_large'],
    ['one byte at a time', (runner) => (runner.metrics = drip), 'timeout'],
    [
      'a redirect, which is not followed',
      (runner) => {
        runner.metrics = (_request, response) =>
          response.writeHead(302, { location: `http://127.0.0.1:${runner.port}/slots` }).end();
      },
      'status',
    ],
    [
      '503 while loading',
      (runner) => (runner.metrics = (_request, response) => response.writeHead(503).end()),
      'status',
    ],
    ['a reset', (runner) => (runner.metrics = (_request, response) => response.destroy()), 'reset'],
    ['1e308 tokens', (runner) => (runner.metrics = metrics({ generated: '1e308' })), 'invalid'],
    ['NaN', (runner) => (runner.metrics = metrics({ generated: 'NaN' })), 'invalid'],
    ['a negative counter', (runner) => (runner.metrics = metrics({ generated: -1 })), 'invalid'],
    ['metrics of another program', (runner) => (runner.metrics = json('go_goroutines 5\n')), 'invalid'],
    ['an object instead of slots', (runner) => (runner.slots = json('{}')), 'invalid'],
  ])('%s, the rest of the scrape is complete', async (_what, misbehave, reason) => {
    machine.load('a');
    const a = await machine.run('a');
    misbehave(a);
    const exposition = await (await machine.start()).scrape();
    expect(reasons(exposition)).toEqual([reason]);
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(gaugesOf(exposition)).not.toHaveProperty('busy');
    for (const value of Object.values(countersOf(exposition))) {
      expect(value).toBe(0);
    }
  });

  test('data that is not HTTP, the reason is invalid', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    machine.load('a');
    const a = await machine.run('a');
    machine.proc.listen({ port }).add({ ...a.process, argv: llamaServer(hash('a'), port) });
    const exposition = await (await machine.start()).scrape();
    expect(reasons(exposition)).toEqual(['invalid']);
    expect(gaugesOf(exposition)).toEqual({ up: 0, memory: 1_024_000 });
  });
});
