import { request } from 'undici';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type CatalogModel, EMBEDDING_MODEL, LLAMA } from '../../src/demo/catalog.ts';
import { startClients } from '../../src/demo/clients.ts';
import type { LoadedModel } from '../../src/demo/scheduler.ts';
import { startSimulatedOllama } from '../../src/demo/server.ts';
import { clientsOf, NO_WORK, promptOf, workOf } from '../../src/demo/work.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { bodyOf, SAMPLES } from '../proxy/samples.ts';

/** Long ago, unless a test sets it. */
let loadedAtMs: number;
let exporter: InProcessExporter;
let proxy: URL;

function loadedModel(model: CatalogModel): LoadedModel {
  return { model, loadedAtMs, sizeVramBytes: 0, expiresAtMs: 0, busySlots: 0, work: NO_WORK };
}

beforeEach(async () => {
  loadedAtMs = 0;
  const loaded = () => [LLAMA, EMBEDDING_MODEL].map(loadedModel);
  const ollama = await startSimulatedOllama({ version: '0.33.0', loaded });
  onTestFinished(ollama.close);
  const proxyListenAddresses = [{ host: '127.0.0.1', port: 0, text: '127.0.0.1:0' }];
  exporter = await startInProcess(ollama.url, { proxyListenAddresses });
  onTestFinished(exporter.close);
  proxy = new URL(`http://127.0.0.1:${exporter.proxyPort}`);
});

/** Starts clients whose requests are due now. */
function sendNow(requests: ReadonlyArray<readonly [model: CatalogModel, durationMs: number]>) {
  const arrivals = (function* () {
    for (const [model, durationMs] of requests) {
      yield { model, durationMs, keepAliveMs: 0, atMs: Date.now() };
    }
  })();
  const close = startClients(proxy, arrivals);
  onTestFinished(close);
  return close;
}

type Labels = Readonly<Record<string, string>>;
const CHAT = { api: 'chat', model: LLAMA.name };

/** Returns the exposition once it has this value. */
function scrapeUntil(name: string, labels: Labels, value: number): Promise<Exposition> {
  return expect
    .poll(async () => sampleValue(await exporter.scrape(), name, labels))
    .toBe(value)
    .then(() => exporter.scrape());
}

const requests = (outcome: string, api: Labels) =>
  ['ollama_proxy_requests_total', { ...api, outcome }] as const;

test('the proxy counts the tokens that a runner counts for the same requests', async () => {
  const durationMs = 400;
  sendNow([[LLAMA, durationMs]]);
  const clients = clientsOf(LLAMA, durationMs);
  const exposition = await scrapeUntil(...requests('ok', CHAT), clients);
  const { promptTokens, cachedTokens, generatedTokens } = workOf(LLAMA, promptOf(LLAMA, durationMs), false);
  const tokens = (kind: string) => sampleValue(exposition, `ollama_proxy_${kind}_tokens_total`, CHAT);
  expect(tokens('generated')).toBe(clients * generatedTokens);
  expect(tokens('prompt')).toBe(clients * (promptTokens + cachedTokens));
});

test('requests for an embedding model use /api/embed', async () => {
  sendNow([[EMBEDDING_MODEL, 100]]);
  await scrapeUntil(...requests('ok', { api: 'embed', model: EMBEDDING_MODEL.name }), 1);
});

test('one request of 25 is for a model that is not installed', async () => {
  sendNow(Array.from({ length: 25 }, () => [EMBEDDING_MODEL, 10]));
  await scrapeUntil(...requests('not_found', { api: 'embed', model: '' }), 1);
});

test('the first response after a load contains the load duration', async () => {
  loadedAtMs = Date.now();
  sendNow([[EMBEDDING_MODEL, 10]]);
  await scrapeUntil(...requests('ok', { api: 'embed', model: EMBEDDING_MODEL.name }), 1);
  const { body } = await request(new URL('/metrics', exporter.url));
  const [, seconds] = /load_duration_seconds_sum\{.*\} (.*)/.exec(await body.text()) ?? [];
  expect(Number(seconds)).toBeCloseTo(0.026, 3);
});

test('closing the clients ends their requests', async () => {
  const close = sendNow([[LLAMA, 60_000]]);
  const inFlight = ['ollama_proxy_requests_in_flight', { api: 'chat' }] as const;
  await scrapeUntil(...inFlight, clientsOf(LLAMA, 60_000));
  await close();
  await scrapeUntil(...inFlight, 0);
  await scrapeUntil(...requests('client_gone', { api: 'chat', model: '' }), clientsOf(LLAMA, 60_000));
});

/** The names of all fields, in order. */
function fieldsOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).map(([name, field]) => [name, fieldsOf(field)])
    : typeof value;
}

test.each([
  ['chat-stream', '/api/chat', { model: LLAMA.name, messages: [], options: { num_predict: 20 } }],
  ['embed', '/api/embed', { model: EMBEDDING_MODEL.name, input: 'word' }],
  ['unknown-model-api-chat', '/api/chat', { model: 'nobody', messages: [] }],
])('the response has the fields of a recorded one: %s', async (name, path, body) => {
  const recorded = SAMPLES.find((sample) => sample.name === `0.33.0-rc2/${name}`);
  const lines = (text: string) => text.trim().split('\n');
  const { body: response } = await request(new URL(path, proxy), {
    method: 'POST',
    body: JSON.stringify(body),
  });
  const expected = recorded === undefined ? [] : lines(bodyOf(recorded).toString());
  const got = lines(await response.text());
  for (const at of [0, -1]) {
    expect(fieldsOf(JSON.parse(got.at(at) ?? ''))).toEqual(fieldsOf(JSON.parse(expected.at(at) ?? '')));
  }
});
