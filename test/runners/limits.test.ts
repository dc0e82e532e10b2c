import { createServer, type Server } from 'node:http';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import type { OllamaClient } from '../../src/ollama/client.ts';
import { ApiError } from '../../src/ollama/errors.ts';
import { createBlobs } from '../../src/runners/blobs.ts';
import { dropOldest, keepLatest } from '../../src/runners/bounded.ts';
import { createCounters } from '../../src/runners/counters.ts';
import { createProblemLog } from '../../src/runners/problem-log.ts';
import { createRunnerClient } from '../../src/runners/runner-client.ts';
import { createRunners } from '../../src/runners/runners.ts';
import { hash } from './fake-proc.ts';

const { signal } = new AbortController();

/** Returns the installed models, and records the requests. */
function ollamaWith(installed: ReadonlyMap<string, string>) {
  const requested: string[] = [];
  const unused = () => Promise.reject(new Error('not requested'));
  const client: OllamaClient = {
    ps: unused,
    version: unused,
    tags: async () => {
      requested.push('tags');
      const models = [...installed].map(([model, digest]) => ({
        model,
        digest,
        quantization: 'Q4',
        sizeBytes: 1,
        modifiedAtMs: undefined,
      }));
      return { models, rows: models.length, skipped: 0 };
    },
    weights: async (model) => {
      requested.push(model);
      return hash(model);
    },
  };
  return { client, requested };
}

test('a bounded map keeps the most recently used entries', () => {
  const map = new Map<string, number>();
  for (const key of ['a', 'b', 'c']) {
    keepLatest(map, key, 1, 3);
  }
  keepLatest(map, 'a', 2, 3);
  expect(keepLatest(map, 'd', 1, 3)).toEqual([1]);
  expect([...map.keys()]).toEqual(['c', 'a', 'd']);
  expect(dropOldest(map, -5)).toEqual([]);
  expect(dropOldest(map, 9)).toHaveLength(3);
});

test('the blobs of 1,024 digests are cached, least recently used first out', async () => {
  const rows = Array.from({ length: 1_025 }, (_, index) => ({ model: `m${index}`, digest: `d${index}` }));
  const { client, requested } = ollamaWith(new Map(rows.map(({ model, digest }) => [model, digest])));
  const blobsOf = createBlobs();
  for (let first = 0; first < 1_024; first += 64) {
    await blobsOf(client, rows.slice(first, first + 64), signal);
  }
  await blobsOf(client, rows.slice(0, 1), signal);
  await blobsOf(client, rows.slice(1_024), signal);
  requested.splice(0);
  const blobs = await blobsOf(
    client,
    [...rows.slice(0, 1), ...rows.slice(2, 3), ...rows.slice(1_024)],
    signal,
  );
  expect([...blobs.values()].every((blob) => typeof blob === 'string')).toBe(true);
  expect(requested).toEqual([]);
  await blobsOf(client, rows.slice(1, 2), signal);
  expect(requested).toEqual(['tags', 'm1']);
});

test('a name with another digest is looked up again only after an interval', async () => {
  const installed = new Map([['a', 'other']]);
  const { client, requested } = ollamaWith(installed);
  const row = { model: 'a', digest: 'loaded' };
  const cached = createBlobs();
  await cached(client, [row], signal);
  expect((await cached(client, [row], signal)).get('loaded')).toMatchObject({ reason: 'unmapped' });
  expect(requested).toEqual(['tags']);
  const uncached = createBlobs(0);
  await uncached(client, [row], signal);
  installed.set('a', 'loaded');
  expect((await uncached(client, [row], signal)).get('loaded')).toBe(hash('a'));
});

test('a row without a digest has no blob, and causes no request to Ollama', async () => {
  const { client, requested } = ollamaWith(new Map([['a', '']]));
  const blobs = await createBlobs()(client, [{ model: 'a', digest: '' }], signal);
  expect(blobs.get('')).toBeInstanceOf(ApiError);
  expect(requested).toEqual([]);
});

async function text(counters: ReturnType<typeof createCounters>): Promise<string> {
  const registry = new Registry();
  counters.registerMetrics(registry);
  return (await registry.metrics()).replaceAll(/^#.*\n/gm, '');
}

test('the counters of the names unloaded first are dropped, and start again when reloaded', async () => {
  const counters = createCounters();
  const model = (index: number) => ({ model: `m${index}`, quantization: 'Q4' });
  const add = (index: number, processKey: string, tokens: number) => {
    counters.add(model(index), [
      { processKey, isOlder: false, counters: { tokens_predicted_total: tokens } },
    ]);
    counters.forget([model(index)]);
  };
  for (let index = 0; index < 258; index += 1) {
    add(index, `${index}`, 5);
  }
  // 257 are unloaded and one is loaded: the first one was dropped.
  expect(await text(counters)).not.toContain('m0"');
  expect(await text(counters)).toContain('m1"');
  add(0, 'new', 7);
  expect(await text(counters)).toContain(
    'ollama_model_generated_tokens_total{model="m0",quantization="Q4"} 7',
  );
});

test('the counters of 256 unloaded names are kept, however many names are loaded', async () => {
  const counters = createCounters();
  const models = Array.from({ length: 300 }, (_, index) => ({ model: `m${index}`, quantization: 'Q4' }));
  for (const model of models) {
    counters.add(model, [{ processKey: model.model, isOlder: false, counters: { prompt_tokens_total: 1 } }]);
  }
  counters.forget(models);
  expect((await text(counters)).match(/^ollama_model_prompt_tokens_total\{/gm)).toHaveLength(300);
  counters.forget([]);
  expect((await text(counters)).match(/^ollama_model_prompt_tokens_total\{/gm)).toHaveLength(256);
});

test('problems that need configuration are logged once, temporary ones never', () => {
  const lines: string[] = [];
  const log = createProblemLog(
    createLogger({ logLevel: 'debug', logFormat: 'logfmt' }, { write: (line) => lines.push(line) }),
  );
  const problems = (['hidden', 'metrics_off', 'timeout', 'not_found', 'unmapped'] as const).map(
    (reason) => new ApiError(reason, 'why'),
  );
  log(problems);
  log(problems);
  expect(lines.map((line) => /level=(\w+).*reason=(\w+)/.exec(line)?.slice(1))).toEqual([
    ['WARN', 'hidden'],
    ['INFO', 'metrics_off'],
  ]);
});

test('a request without a response times out, and the next scrape sends another', async () => {
  let requested = 0;
  const server: Server = createServer((_request, response) => {
    requested += 1;
    if (requested === 2) {
      response.end('llamacpp:tokens_predicted_total 5\n');
    } else if (requested === 3) {
      response.end('[{"is_processing":false}]');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const runnerClient = createRunnerClient(1_500);
  onTestFinished(async () => {
    await runnerClient.close();
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const runner = { processKey: '1 1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
  const first = await runnerClient.read(runner, signal);
  expect(first).toMatchObject({ up: false, problems: [{ reason: 'timeout' }] });
  expect(await runnerClient.read(runner, signal)).toMatchObject({
    up: true,
    slots: { total: 1, busy: 0 },
    problems: [],
  });
  expect(requested).toBe(3);
});

test('a model whose blob lookup fails is not looked up at each scrape, and does not affect others', async () => {
  const { client, requested } = ollamaWith(
    new Map([
      ['a', 'd1'],
      ['broken', 'd2'],
    ]),
  );
  const weights: OllamaClient['weights'] = async (model, exchange) => {
    if (model === 'broken') {
      requested.push(model);
      throw new ApiError('status', 'status 500');
    }
    return await client.weights(model, exchange);
  };
  const blobsOf = createBlobs();
  const rows = [
    { model: 'a', digest: 'd1' },
    { model: 'broken', digest: 'd2' },
  ];
  await blobsOf({ ...client, weights }, rows, signal);
  const blobs = await blobsOf({ ...client, weights }, rows, signal);
  expect([...blobs.values()]).toEqual([hash('a'), expect.objectContaining({ reason: 'status' })]);
  expect(requested).toEqual(['tags', 'a', 'broken']);
});

test('at most 64 blobs are looked up per scrape', async () => {
  const rows = Array.from({ length: 200 }, (_, index) => ({ model: `m${index}`, digest: `d${index}` }));
  const { client, requested } = ollamaWith(new Map(rows.map(({ model, digest }) => [model, digest])));
  const blobsOf = createBlobs();
  await blobsOf(client, rows, signal);
  expect(requested).toHaveLength(65);
  await blobsOf(client, rows, signal);
  expect(requested).toHaveLength(130);
});

test('a scrape that ends while the processes are read has a timeout of the runners', async () => {
  const scrape = new AbortController();
  const find = () => {
    setImmediate(() => scrape.abort());
    return new Promise<never>(() => {});
  };
  const finder = { known: () => [], find, refresh: () => undefined };
  const runners = createRunners(
    finder,
    createLogger({ logLevel: 'error', logFormat: 'logfmt' }, { write: () => {} }),
  );
  const nothingLoaded = { models: [], rows: 0, skipped: 0, nowMs: 0 };
  const { client } = ollamaWith(new Map());
  const reading = await runners.read(client, Promise.resolve(nothingLoaded), scrape.signal);
  expect(reading?.problems).toEqual([expect.objectContaining({ reason: 'timeout' })]);
});
