/** Concurrent scrapes, tested from outside: the requests to Ollama, and the responses. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type InProcessExporter, type InProcessOptions, startInProcess } from '../exporter-in-process.ts';
import { parseExposition, sampleValue } from '../exposition.ts';
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

/** Pending requests to /api/ps. */
let waiting: ServerResponse[];
let handlers: Handlers;
let ollama: FakeOllama;
let exporter: InProcessExporter;
let psCalls: number;

async function start(options: InProcessOptions = {}): Promise<void> {
  waiting = [];
  psCalls = 0;
  handlers = {
    ps: (_request, response) => {
      psCalls += 1;
      waiting.push(response);
    },
    version: json(VERSION_BODY),
  };
  ollama = await startFakeOllama(handlers);
  exporter = await startInProcess(ollama.url, options);
  onTestFinished(async () => {
    await exporter.close();
    await ollama.close();
  });
}
beforeEach(() => start({ configYaml: 'modules: { default: { allow: ["127.0.0.0/8"] } }' }));

interface ScrapeOptions {
  readonly path?: string;
  readonly signal?: AbortSignal;
  /** The timeout of the scraper, in seconds. */
  readonly timeout?: number;
}

async function scrape({ path = '/metrics', signal, timeout }: ScrapeOptions = {}) {
  const headers = timeout === undefined ? {} : { 'x-prometheus-scrape-timeout-seconds': String(timeout) };
  const { statusCode, body } = await request(new URL(path, exporter.url), {
    headers,
    signal: signal ?? null,
  });
  const text = await body.text();
  expect(statusCode).toBe(200);
  return text;
}

const loaded = (text: string) => sampleValue(parseExposition(text), 'ollama_loaded_models');
const calls = (count: number) => expect.poll(() => psCalls, { timeout: 15_000 }).toBe(count);

/** Responds with so many models to the oldest pending request. */
function respond(models: number): void {
  const list = Array.from({ length: models }, (_, index) => ({ model: `m${index}`, size: 1 }));
  waiting.shift()?.end(JSON.stringify({ models: list }));
}

/** Waits until the exporter has received these requests. */
async function arrived(scrapes: () => readonly Promise<unknown>[]): Promise<readonly Promise<unknown>[]> {
  const all = scrapes();
  // A request on a later connection is answered only after the earlier requests were received.
  await request(new URL('/-/healthy', exporter.url)).then(({ body }) => body.dump());
  await request(new URL('/-/healthy', exporter.url)).then(({ body }) => body.dump());
  return all;
}

test('concurrent scrapes make one request to Ollama', async () => {
  const first = scrape();
  await calls(1);
  const others = await arrived(() => [scrape(), scrape({ path: '/api/status' }), scrape({ path: '/' })]);
  respond(3);
  expect(loaded(await first)).toBe(3);
  const [metrics, status] = await Promise.all(others);
  expect(loaded(String(metrics))).toBe(3);
  expect(JSON.parse(String(status)).models).toHaveLength(3);
  expect(psCalls).toBe(1);
});

test('a probe of the same Ollama makes its own request, since its target is checked', async () => {
  const first = scrape();
  await calls(1);
  const probe = scrape({ path: `/probe?target=${ollama.url.host}` });
  await calls(2);
  respond(1);
  respond(2);
  expect(loaded(await first)).toBe(1);
  expect(loaded(await probe)).toBe(2);
});

test('a probe and a debug report on the same target share a scrape and have the same result', async () => {
  const path = `/probe?target=${ollama.url.host}`;
  const probe = scrape({ path });
  await calls(1);
  const [report] = await arrived(() => [scrape({ path: `${path}&debug=true` })]);
  respond(1);
  expect(await report).toContain(await probe);
  await calls(1);
});

test('a scrape after the end of another makes a new request', async () => {
  const first = scrape();
  await calls(1);
  respond(1);
  expect(loaded(await first)).toBe(1);
  const second = scrape();
  await calls(2);
  respond(2);
  expect(loaded(await second)).toBe(2);
});

test('a scraper that disconnects does not affect the others', async () => {
  const controller = new AbortController();
  const first = scrape({ signal: controller.signal });
  await calls(1);
  const [second] = await arrived(() => [scrape()]);
  controller.abort();
  await expect(first).rejects.toThrow('aborted');
  await arrived(() => []);
  respond(2);
  expect(loaded(String(await second))).toBe(2);
  expect(psCalls).toBe(1);
});

test('a scraper that times out gets the result so far, and does not affect the others', async () => {
  const longScrape = scrape({ timeout: 30 });
  await calls(1);
  const partial = parseExposition(await scrape({ timeout: 0.8 }));
  expect(sampleValue(partial, 'ollama_scrape_success', { api: 'version' })).toBe(1);
  expect(partial.get('ollama_scrape_error')?.samples[0]?.labels).toEqual({ api: 'ps', reason: 'timeout' });
  expect(waiting).toHaveLength(1);
  respond(2);
  expect(loaded(await longScrape)).toBe(2);
});

test('when all scrapers disconnect, the request is cancelled, and the next scrape makes a new one', async () => {
  const controllers = [new AbortController(), new AbortController()];
  const [left, right] = controllers;
  const first = scrape(left);
  await calls(1);
  const [second] = await arrived(() => [scrape(right)]);
  const [call] = waiting.splice(0);
  for (const controller of controllers) {
    controller.abort();
  }
  await Promise.allSettled([first, second]);
  await once(call ?? ollama.server, 'close');
  const next = scrape();
  await calls(2);
  respond(4);
  expect(loaded(await next)).toBe(4);
});

test('debug=true makes its own request, since it reports the raw responses', async () => {
  const first = scrape();
  await calls(1);
  const report = scrape({ path: `/probe?target=${ollama.url.host}&debug=true` });
  await calls(2);
  respond(1);
  respond(2);
  expect(loaded(await first)).toBe(1);
  expect(await report).toContain('ollama_loaded_models 2\n');
});

describe('a hanging scrape', () => {
  test('ends after --ollama.timeout, and later waiters get a new one', async () => {
    await exporter.close();
    await start({ timeoutMs: 1_000 });
    const first = scrape();
    await calls(1);
    await delay(500);
    const second = scrape();
    expect(loaded(await first)).toBeUndefined();
    await calls(2);
    respond(9);
    respond(2);
    expect(loaded(await second)).toBe(2);
  });
});
