import type { RequestListener } from 'node:http';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCorpus } from '../corpus.ts';
import { startDroppingServer } from '../dropping-server.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { type Exposition, parseExposition, sampleValue } from '../exposition.ts';
import { type FakeOllama, type Handlers, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

/** For an Ollama that never sends a complete response. */
const SHORT_MS = 400;
/** For one that responds, on a busy machine. */
const LONG_MS = 20_000;
/** Additional time on a busy machine. */
const SLACK_MS = 5_000;

const PS_BODY = readCorpus('11-names-odd.json');
const good: Readonly<Handlers> = { ps: json(PS_BODY), version: json(VERSION_BODY) };

/** A valid list of models, except for its size of 3 MiB. */
const HUGE_BODY = JSON.stringify({ models: [], padding: 'x'.repeat(3 * 1024 * 1024) });

const FAULTS: Readonly<Record<string, readonly [reason: string, handler: RequestListener]>> = {
  'hangs before the headers': ['timeout', () => {}],
  'hangs in the middle of the body': [
    'timeout',
    (_request, response) => {
      response.writeHead(200, { 'content-length': PS_BODY.length }).write(PS_BODY.slice(0, 100));
    },
  ],
  'drips one byte at a time': [
    'timeout',
    (_request, response) => {
      response.writeHead(200, { 'content-length': PS_BODY.length });
      let sent = 0;
      const timer = setInterval(() => response.write(PS_BODY[sent++] ?? ''), 20);
      response.on('close', () => clearInterval(timer));
    },
  ],
  'resets the connection': ['reset', (request) => request.socket.resetAndDestroy()],
  'resets the connection in the middle of the body': [
    'reset',
    (request, response) => {
      response.writeHead(200, { 'content-length': PS_BODY.length });
      response.write(PS_BODY.slice(0, 100), () => setTimeout(() => request.socket.resetAndDestroy(), 20));
    },
  ],
  'closes the connection without a response': ['reset', (request) => request.socket.destroy()],
  'closes the connection in the middle of the body': [
    'invalid',
    (request, response) => {
      response.writeHead(200, { 'content-length': PS_BODY.length });
      response.write(PS_BODY.slice(0, 100), () => request.socket.end());
    },
  ],
  'closes the connection in the middle of a chunked body': [
    'invalid',
    (request, response) => {
      response.writeHead(200);
      response.write(PS_BODY.slice(0, 100), () => request.socket.end());
    },
  ],
  'ends a chunked body too early': ['invalid', json(PS_BODY.slice(0, 100))],
  'declares a length that is too short': [
    'invalid',
    (request) => {
      request.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${PS_BODY}`);
    },
  ],
  'does not speak HTTP': ['invalid', (request) => request.socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')],
  'sends 3 MiB': [
    'too_large',
    (_request, response) => {
      response.writeHead(200, { 'content-length': HUGE_BODY.length }).end(HUGE_BODY);
    },
  ],
  'sends 3 MiB in chunks': [
    'too_large',
    (_request, response) => {
      response.writeHead(200).write(HUGE_BODY);
      response.end();
    },
  ],
  'redirects to itself': ['status', status(301, { location: '/api/ps' })],
  'returns 204': ['status', status(204)],
  'returns 403': ['status', status(403)],
  'returns 404': ['status', status(404)],
  'returns 500': ['status', status(500)],
  'returns 502 and never ends': [
    'status',
    (_request, response) => {
      response.writeHead(502).write('<html>');
    },
  ],
  'returns HTML with 200': ['invalid', json(readCorpus('45-html.txt'))],
  'returns an empty body with 200': ['invalid', json('')],
  'returns a list': ['invalid', json('[]')],
  'returns an error with 200': ['invalid', json('{"error":"no"}')],
};

function status(code: number, headers: Readonly<Record<string, string>> = {}): RequestListener {
  return (_request, response) => {
    response.writeHead(code, headers).end();
  };
}

function reasonOf(exposition: Exposition, api: string): string | undefined {
  return exposition.get('ollama_scrape_error')?.samples.find(({ labels }) => labels['api'] === api)?.labels[
    'reason'
  ];
}

let handlers: Handlers;
let ollama: FakeOllama;
let exporter: InProcessExporter | undefined;

beforeEach(async () => {
  handlers = { ...good };
  ollama = await startFakeOllama(handlers);
});

afterEach(async () => {
  await exporter?.close();
  exporter = undefined;
  await ollama.close();
});

/** Scrapes within the timeout. */
async function scrapeWithin(timeoutMs: number): Promise<Exposition> {
  await exporter?.close();
  exporter = await startInProcess(ollama.url, { timeoutMs });
  const start = performance.now();
  const exposition = await exporter.scrape();
  expect(performance.now() - start).toBeLessThan(timeoutMs + SLACK_MS);
  return exposition;
}

/** Scrapes the same exporter again. */
async function scrapeAgain(): Promise<Exposition> {
  return exporter === undefined ? scrapeWithin(LONG_MS) : exporter.scrape();
}

function expectClean(exposition: Exposition): void {
  expect(sampleValue(exposition, 'ollama_up')).toBe(1);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(6);
  expect(exposition.get('ollama_model_info')?.samples).toHaveLength(6);
  expect(exposition.has('ollama_scrape_error')).toBe(false);
}

describe.each(Object.entries(FAULTS))('an Ollama that %s', (_, [reason, handler]) => {
  const budgetMs = reason === 'timeout' ? SHORT_MS : LONG_MS;

  test(`on /api/ps is up without models (${reason}), and the next scrape succeeds`, async () => {
    handlers.ps = handler;
    const exposition = await scrapeWithin(budgetMs);
    expect(reasonOf(exposition, 'ps')).toBe(reason);
    expect(reasonOf(exposition, 'version')).toBeUndefined();
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect([...exposition.keys()].filter((name) => /model/.test(name))).toEqual([]);

    handlers.ps = good.ps;
    expectClean(await scrapeAgain());
  });

  test(`on both endpoints is down (${reason}), and the next scrape succeeds`, async () => {
    handlers.ps = handler;
    handlers.version = handler;
    const exposition = await scrapeWithin(budgetMs);
    expect(sampleValue(exposition, 'ollama_up')).toBe(0);
    expect([reasonOf(exposition, 'ps'), reasonOf(exposition, 'version')]).toEqual([reason, reason]);
    expect([...exposition.keys()].filter((name) => /model|version/.test(name))).toEqual([]);

    Object.assign(handlers, good);
    expectClean(await scrapeAgain());
  });
});

test('an error response whose body never ends is closed', async () => {
  let closed = false;
  handlers.ps = (request, response) => {
    request.socket.on('close', () => {
      closed = true;
    });
    response.writeHead(502).write('<html>');
  };
  await scrapeWithin(LONG_MS);
  await expect.poll(() => closed, { timeout: 15_000 }).toBe(true);
});

test('a redirect is not followed', async () => {
  let requested = 0;
  handlers.ps = (_request, response) => {
    requested += 1;
    response.writeHead(301, { location: '/api/ps' }).end();
  };
  await scrapeAgain();
  expect(requested).toBe(1);
});

test('a body of exactly 2 MiB is read', async () => {
  const frame = JSON.stringify({ models: [], padding: '' }).length;
  const body = JSON.stringify({ models: [], padding: 'x'.repeat(2 * 1024 * 1024 - frame) });
  handlers.ps = json(body);
  const exporterWithDefaults = await startInProcess(ollama.url);
  expect(sampleValue(await exporterWithDefaults.scrape(), 'ollama_loaded_models')).toBe(0);
  await exporterWithDefaults.close();
});

test('a stopped Ollama is down (refused), and the scrape after its restart succeeds', async () => {
  expectClean(await scrapeAgain());
  await ollama.close();
  const exposition = await scrapeAgain();
  expect(sampleValue(exposition, 'ollama_up')).toBe(0);
  expect([reasonOf(exposition, 'ps'), reasonOf(exposition, 'version')]).toEqual(['refused', 'refused']);

  ollama = await startFakeOllama(handlers, Number(ollama.url.port));
  expectClean(await scrapeAgain());
});

test('an Ollama whose packets are dropped is down (timeout) within the scrape timeout', async () => {
  const { port, end } = await startDroppingServer();
  const blackhole = await startInProcess(new URL(`http://127.0.0.1:${port}`), { timeoutMs: LONG_MS });
  const start = performance.now();
  const { body } = await request(new URL('/metrics', blackhole.url), {
    headers: { 'x-prometheus-scrape-timeout-seconds': '0.8' },
  });
  const exposition = parseExposition(await body.text());
  expect(performance.now() - start).toBeLessThan(SHORT_MS + SLACK_MS);
  expect(reasonOf(exposition, 'ps')).toBe('timeout');
  await blackhole.close();
  end();
});

test('an Ollama whose name does not resolve is down (dns)', async () => {
  // A label longer than 63 characters fails in the local resolver, without a query to the network.
  const lost = await startInProcess(new URL(`http://${'x'.repeat(64)}.invalid:11434`));
  expect(reasonOf(await lost.scrape(), 'ps')).toBe('dns');
  await lost.close();
});

test('https to a server that speaks HTTP is down (tls)', async () => {
  const https = await startInProcess(new URL(ollama.url.href.replace('http:', 'https:')));
  expect(reasonOf(await https.scrape(), 'ps')).toBe('tls');
  await https.close();
});

test('every request has the path prefix', async () => {
  const requested: string[] = [];
  ollama.server.prependListener('request', (request) => requested.push(request.url ?? ''));
  const prefixed = await startInProcess(new URL('/a/b', ollama.url));
  expect(reasonOf(await prefixed.scrape(), 'ps')).toBe('status');
  expect(requested.sort()).toEqual(['/a/b/api/ps', '/a/b/api/version']);
  await prefixed.close();
});

test('the expiry is computed with the clock of the Ollama host', async () => {
  const inTenMinutes = new Date(Date.now() + 600_000).toISOString();
  handlers.ps = (_request, response) => {
    response.setHeader('date', new Date(Date.parse(inTenMinutes) - 60_000).toUTCString());
    response.end(JSON.stringify({ models: [{ model: 'a', size: 1, expires_at: inTenMinutes }] }));
  };
  const expiresIn = sampleValue(await scrapeAgain(), 'ollama_model_expires_in_seconds');
  expect(expiresIn).toBeGreaterThanOrEqual(60);
  expect(expiresIn).toBeLessThan(61);
});

test('2,001 rows are too_large, and 2,000 rows with the same name are read', async () => {
  const rows = (count: number) =>
    json(JSON.stringify({ models: Array(count).fill({ model: 'a', size: 1 }) }));
  handlers.ps = rows(2_001);
  expect(reasonOf(await scrapeWithin(LONG_MS), 'ps')).toBe('too_large');
  handlers.ps = rows(2_000);
  expect(sampleValue(await scrapeWithin(LONG_MS), 'ollama_model_size_bytes')).toBe(2_000);
});
