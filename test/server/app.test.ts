import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log/log.ts';
import { buildServer } from '../../src/server/app.ts';
import { readCorpus } from '../corpus.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { parseExposition, sampleValue } from '../exposition.ts';
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { defaultMetricNames } from '../own-metrics.ts';
import { dependencies } from './dependencies.ts';

let ollama: FakeOllama;
let exporter: InProcessExporter;
let calls = 0;

beforeAll(async () => {
  ollama = await startFakeOllama({ ps: json(readCorpus('11-names-odd.json')), version: json(VERSION_BODY) });
  ollama.server.on('request', () => {
    calls += 1;
  });
  exporter = await startInProcess(ollama.url, { disableExporterMetrics: false });
});

afterAll(async () => {
  await exporter.close();
  await ollama.close();
});

type Method = 'GET' | 'HEAD' | 'POST';

async function requestPath(path: string, { method = 'GET' as Method, headers = {} } = {}) {
  const before = calls;
  const {
    statusCode,
    headers: responseHeaders,
    body,
  } = await request(new URL(path, exporter.url), { method, headers });
  const bytes = Buffer.from(await body.arrayBuffer());
  return {
    status: statusCode,
    headers: responseHeaders,
    bytes,
    text: bytes.toString(),
    calls: calls - before,
  };
}

test.each(['/-/healthy', '/-/ready'])('%s returns 200 without a request to Ollama', async (path) => {
  expect(await requestPath(path)).toMatchObject({ status: 200, calls: 0 });
  expect(await requestPath(path, { method: 'HEAD' })).toMatchObject({ status: 200, calls: 0, text: '' });
});

test.each([
  ['GET', '/nothing'],
  ['GET', '/metrics/'],
  ['POST', '/metrics'],
  ['POST', '/nothing'],
  ['GET', '/%00'],
  ['GET', '/%zz'],
])('%s %s returns 404 as text', async (method, path) => {
  const { status, headers, calls } = await requestPath(path, { method: method as Method });
  expect({ status, calls }).toEqual({ status: 404, calls: 0 });
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
});

test.each([
  ['plain', {}],
  ['compressed', { 'content-encoding': 'gzip' }],
  ['of an unknown encoding', { 'content-encoding': 'foo' }],
])('a GET /metrics with a %s body succeeds, and the body is ignored', async (_, headers) => {
  const { statusCode, body } = await request(new URL('/metrics', exporter.url), {
    method: 'GET',
    headers,
    body: gzipSync('x'.repeat(100_000)),
  });
  expect(statusCode).toBe(200);
  parseExposition(await body.text());
});

test('every response has X-Content-Type-Options: nosniff', async () => {
  for (const path of ['/', '/metrics', '/-/healthy', '/nothing']) {
    expect((await requestPath(path)).headers['x-content-type-options']).toBe('nosniff');
  }
});

describe('a cross-site request from a browser', () => {
  const send = async (path: string, method: 'GET' | 'POST', headers: Readonly<Record<string, string>>) => {
    const options = { method, headers: { 'sec-fetch-site': 'cross-site', ...headers } };
    const { statusCode, body } = await request(new URL(path, exporter.url), options);
    return `${statusCode} ${await body.text()}`;
  };

  test.each([
    ['/-/reload', 'POST'],
    ['/probe?target=a', 'GET'],
    ['/?target=a', 'GET'],
    ['/api/status', 'GET'],
    ['/api/status?target=a', 'GET'],
    ['/api/fleet', 'GET'],
    ['/%70robe?target=a', 'GET'],
    ['/-/%72eload', 'POST'],
    ['/%61pi/status', 'GET'],
  ] as const)('to %s is rejected', async (path, method) => {
    expect(await send(path, method, {})).toBe('403 requests by pages of other sites are rejected\n');
  });

  test('is accepted for paths without side effects, and for links to the page', async () => {
    expect(await send('/-/healthy', 'GET', {})).toMatch(/^200/);
    expect(await send('/', 'GET', {})).toMatch(/^200/);
    expect(await send('/?a=b', 'GET', { 'sec-fetch-user': '?1' })).toMatch(/^200/);
  });

  test('is accepted if it is same-origin', async () => {
    expect(await send('/api/status', 'GET', { 'sec-fetch-site': 'same-origin' })).toMatch(/^200/);
  });
});

test('HEAD /metrics returns 200 without a scrape', async () => {
  const { status, headers, text, calls } = await requestPath('/metrics', { method: 'HEAD' });
  expect({ status, text, calls }).toEqual({ status: 200, text: '', calls: 0 });
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
});

test('GET /metrics makes two requests to Ollama each time', async () => {
  expect((await requestPath('/metrics')).calls).toBe(2);
  expect((await requestPath('/metrics')).calls).toBe(2);
});

describe('gzip', () => {
  test('is used if the scraper accepts it, and has the same content', async () => {
    const { headers, bytes } = await requestPath('/metrics', { headers: { 'accept-encoding': 'gzip' } });
    expect(headers['content-encoding']).toBe('gzip');
    expect(headers['vary']).toMatch(/accept-encoding/i);
    expect(sampleValue(parseExposition(gunzipSync(bytes).toString()), 'ollama_loaded_models')).toBe(6);
  });

  test.each(['identity', 'br, zstd', 'gzip;q=0'])('is not used for %s', async (accepted) => {
    const { headers, text } = await requestPath('/metrics', { headers: { 'accept-encoding': accepted } });
    expect(headers['content-encoding']).toBeUndefined();
    expect(sampleValue(parseExposition(text), 'ollama_up')).toBe(1);
  });

  test('is not used for a small body', async () => {
    const { headers } = await requestPath('/-/healthy', { headers: { 'accept-encoding': 'gzip' } });
    expect(headers['content-encoding']).toBeUndefined();
  });
});

describe('X-Prometheus-Scrape-Timeout-Seconds', () => {
  test('is used if it is a number', async () => {
    const headers = { 'x-prometheus-scrape-timeout-seconds': '10' };
    expect(await requestPath('/metrics', { headers })).toMatchObject({ status: 200, calls: 2 });
  });

  test.each(['', 'ten', '-1', '0', 'NaN', 'Inf', '1;2', '1, 2', '0x10'])(
    'with the value %j returns 400',
    async (header) => {
      const headers = { 'x-prometheus-scrape-timeout-seconds': header };
      const { status, text, calls } = await requestPath('/metrics', { headers });
      expect({ status, calls }).toEqual({ status: 400, calls: 0 });
      expect(text).toMatch(
        /^X-Prometheus-Scrape-Timeout-Seconds must be a number of seconds above 0, not ".*"\n$/,
      );
    },
  );
});

test('a timeout too short for any response is not logged as an outage', async () => {
  const handlers: Handlers = { ps: json('{"models":[]}'), version: json(VERSION_BODY) };
  const stalling = await startFakeOllama(handlers);
  const own = await startInProcess(stalling.url);
  await own.scrape();
  handlers.ps = () => {};
  handlers.version = () => {};
  const headers = { 'x-prometheus-scrape-timeout-seconds': '0.15' };
  const { body } = await request(new URL('/metrics', own.url), { headers });
  expect(await body.text()).toContain('\nollama_up 0\n');
  expect(own.stateLines()).toHaveLength(1);
  await own.close();
  await stalling.close();
});

describe("the exporter's own metrics", () => {
  test('are those of prom-client except eleven, and the build info', async () => {
    const exposition = parseExposition((await requestPath('/metrics')).text);
    const missing = defaultMetricNames().filter((name) => !exposition.has(name));
    expect(missing.sort()).toEqual([
      'nodejs_active_handles_total',
      'nodejs_active_requests_total',
      'nodejs_active_resources_total',
      'nodejs_eventloop_lag_max_seconds',
      'nodejs_eventloop_lag_mean_seconds',
      'nodejs_eventloop_lag_min_seconds',
      'nodejs_eventloop_lag_p50_seconds',
      'nodejs_eventloop_lag_p90_seconds',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_eventloop_lag_seconds',
      'nodejs_eventloop_lag_stddev_seconds',
    ]);
    expect(
      sampleValue(exposition, 'ollama_exporter_build_info', {
        version: '1.2.3',
        node_version: process.version,
      }),
    ).toBe(1);
  });

  test('count the time that the event loop is active and idle', async () => {
    const scrape = async () => {
      const startMs = performance.now();
      const exposition = parseExposition((await requestPath('/metrics')).text);
      const seconds = (state: string) =>
        sampleValue(exposition, 'nodejs_eventloop_time_seconds_total', { state }) ?? Number.NaN;
      return { startMs, endMs: performance.now(), active: seconds('active'), idle: seconds('idle') };
    };
    const before = await scrape();
    const busySinceMs = performance.now();
    while (performance.now() - busySinceMs < 100);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = await scrape();
    const active = after.active - before.active;
    const total = active + after.idle - before.idle;
    expect(active).toBeGreaterThan(0.1);
    expect(total).toBeGreaterThan((after.startMs - before.endMs) / 1000);
    expect(total).toBeLessThan((after.endMs - before.startMs) / 1000);
  });
});

test('closing waits for a running scrape, which returns partial results, and logs no outage', async () => {
  let onRequest = () => {};
  const underWay = new Promise<void>((resolve) => {
    onRequest = resolve;
  });
  const hanging = await startFakeOllama({ ps: () => onRequest(), version: json(VERSION_BODY) });
  const closing = await startInProcess(hanging.url, { timeoutMs: 60_000 });
  const scrape = closing.scrape();
  await underWay;
  await closing.close();
  const exposition = await scrape;
  expect(sampleValue(exposition, 'ollama_up')).toBe(1);
  expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'ps' })).toBe(0);
  expect(closing.stateLines()).toEqual([]);
  await hanging.close();
});

test('closing closes unused connections, without waiting until scrapes are cut', async () => {
  const quiet = await startInProcess(ollama.url);
  const socket = connect(Number(quiet.url.port), quiet.url.hostname);
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  const startMs = performance.now();
  await quiet.close();
  expect(performance.now() - startMs).toBeLessThan(3_000);
  await closed;
});

test('the telemetry path can be /, instead of the page', async () => {
  const rooted = await startInProcess(ollama.url, { telemetryPath: '/' });
  const { statusCode, body } = await request(rooted.url);
  expect(statusCode).toBe(200);
  expect(sampleValue(parseExposition(await body.text()), 'ollama_up')).toBe(1);
  await rooted.close();
});

test('an internal error returns 500 and is logged, without details in the response', async () => {
  const lines: string[] = [];
  const log = createLogger({ logLevel: 'error', logFormat: 'logfmt' }, { write: (line) => lines.push(line) });
  const broken = buildServer({
    ...(await dependencies()),
    share: () => Promise.reject(new Error('secret detail')),
    log,
  });
  const { statusCode, payload } = await broken.inject('/metrics');
  expect(statusCode).toBe(500);
  expect(payload).toBe('internal error, see the log of the exporter\n');
  expect(lines).toEqual([
    expect.stringMatching(/level=ERROR msg="Could not handle a request".*secret detail/),
  ]);
  await broken.close();
});

test('concurrent scrapes return complete results', async () => {
  const texts = await Promise.all(Array.from({ length: 10 }, () => requestPath('/metrics')));
  for (const { text } of texts) {
    expect(sampleValue(parseExposition(text), 'ollama_loaded_models')).toBe(6);
  }
});
