import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCorpus } from '../corpus.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { type Answers, type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';

const BUDGET_MS = 400;
/** What a busy machine may add to the budget. */
const SLACK_MS = 2_000;

const PS_BODY = readCorpus('11-names-odd.json');
const good: Readonly<Answers> = { ps: json(PS_BODY), version: json(VERSION_BODY) };

/** 17 MiB that would be a fine list of models, were they not 17 MiB. */
const HUGE_BODY = JSON.stringify({ models: [], padding: 'x'.repeat(17 * 1024 * 1024) });

const FAULTS: Readonly<Record<string, readonly [reason: string, answer: RequestListener]>> = {
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
  'closes the connection without a word': ['reset', (request) => request.socket.destroy()],
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
  'sends 17 MiB': [
    'too_large',
    (_request, response) => {
      response.writeHead(200, { 'content-length': HUGE_BODY.length }).end(HUGE_BODY);
    },
  ],
  'sends 17 MiB in chunks': [
    'too_large',
    (_request, response) => {
      response.writeHead(200).write(HUGE_BODY);
      response.end();
    },
  ],
  'redirects to itself': ['status', status(301, { location: '/api/ps' })],
  'answers 204': ['status', status(204)],
  'answers 403': ['status', status(403)],
  'answers 404': ['status', status(404)],
  'answers 500': ['status', status(500)],
  'answers 502 and never ends': [
    'status',
    (_request, response) => {
      response.writeHead(502).write('<html>');
    },
  ],
  'answers HTML with 200': ['invalid', json(readCorpus('45-html.txt'))],
  'answers nothing with 200': ['invalid', json('')],
  'answers a list': ['invalid', json('[]')],
  'answers an error with 200': ['invalid', json('{"error":"no"}')],
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

let answers: Answers;
let ollama: FakeOllama;
let exporter: InProcessExporter;

beforeEach(async () => {
  answers = { ...good };
  ollama = await startFakeOllama(answers);
  exporter = await startInProcess(ollama.url, { timeoutMs: BUDGET_MS });
});

afterEach(async () => {
  await exporter.close();
  await ollama.close();
});

async function timedScrape(): Promise<Exposition> {
  const start = performance.now();
  const exposition = await exporter.scrape();
  expect(performance.now() - start).toBeLessThan(BUDGET_MS + SLACK_MS);
  return exposition;
}

function expectClean(exposition: Exposition): void {
  expect(sampleValue(exposition, 'ollama_up')).toBe(1);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(6);
  expect(exposition.get('ollama_model_info')?.samples).toHaveLength(6);
  expect(exposition.has('ollama_scrape_error')).toBe(false);
}

describe.each(Object.entries(FAULTS))('an Ollama that %s', (_, [reason, answer]) => {
  test(`on /api/ps is up without models (${reason}), and the scrape after it is clean`, async () => {
    answers.ps = answer;
    const exposition = await timedScrape();
    expect(reasonOf(exposition, 'ps')).toBe(reason);
    expect(reasonOf(exposition, 'version')).toBeUndefined();
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect([...exposition.keys()].filter((name) => /model/.test(name))).toEqual([]);

    answers.ps = good.ps;
    expectClean(await timedScrape());
  });

  test(`on both calls is down (${reason}), and the scrape after it is clean`, async () => {
    answers.ps = answer;
    answers.version = answer;
    const exposition = await timedScrape();
    expect(sampleValue(exposition, 'ollama_up')).toBe(0);
    expect([reasonOf(exposition, 'ps'), reasonOf(exposition, 'version')]).toEqual([reason, reason]);
    expect([...exposition.keys()].filter((name) => /model|version/.test(name))).toEqual([]);

    Object.assign(answers, good);
    expectClean(await timedScrape());
  });
});

test('a redirect is not followed', async () => {
  let asked = 0;
  answers.ps = (_request, response) => {
    asked += 1;
    response.writeHead(301, { location: '/api/ps' }).end();
  };
  await exporter.scrape();
  expect(asked).toBe(1);
});

test('a body of exactly 16 MiB is read', async () => {
  const frame = JSON.stringify({ models: [], padding: '' }).length;
  const body = JSON.stringify({ models: [], padding: 'x'.repeat(16 * 1024 * 1024 - frame) });
  answers.ps = json(body);
  const patient = await startInProcess(ollama.url);
  expect(sampleValue(await patient.scrape(), 'ollama_loaded_models')).toBe(0);
  await patient.close();
});

test('an Ollama that is not there is down (refused), and the scrape after its start is clean', async () => {
  expectClean(await timedScrape());
  await ollama.close();
  const exposition = await timedScrape();
  expect(sampleValue(exposition, 'ollama_up')).toBe(0);
  expect([reasonOf(exposition, 'ps'), reasonOf(exposition, 'version')]).toEqual(['refused', 'refused']);

  ollama = await startFakeOllama(answers, Number(ollama.url.port));
  expectClean(await timedScrape());
});

test('a name that does not resolve is down (dns)', async () => {
  const lost = await startInProcess(new URL('http://ollama.invalid:11434'));
  expect(reasonOf(await lost.scrape(), 'ps')).toBe('dns');
  await lost.close();
});

test('https to a server that speaks http is down (tls)', async () => {
  const https = await startInProcess(new URL(ollama.url.href.replace('http:', 'https:')));
  expect(reasonOf(await https.scrape(), 'ps')).toBe('tls');
  await https.close();
});

test('every call carries the path prefix', async () => {
  const asked: string[] = [];
  ollama.server.prependListener('request', (request) => asked.push(request.url ?? ''));
  const prefixed = await startInProcess(new URL('/a/b', ollama.url));
  expect(reasonOf(await prefixed.scrape(), 'ps')).toBe('status');
  expect(asked.sort()).toEqual(['/a/b/api/ps', '/a/b/api/version']);
  await prefixed.close();
});

describe("the Ollama host's clock", () => {
  const inTenMinutes = new Date(Date.now() + 600_000).toISOString();

  function answerAt(date: string): RequestListener {
    return (_request, response) => {
      response.setHeader('date', date);
      response.end(JSON.stringify({ models: [{ model: 'a', size: 1, expires_at: inTenMinutes }] }));
    };
  }

  test('is used where it differs', async () => {
    answers.ps = answerAt(new Date(Date.parse(inTenMinutes) - 60_000).toUTCString());
    const expiresIn = sampleValue(await exporter.scrape(), 'ollama_model_expires_in_seconds');
    expect(expiresIn).toBeGreaterThanOrEqual(60);
    expect(expiresIn).toBeLessThan(61);
  });

  test.each([['rounded to its second'], ['garbage']])('is not used where it is %s', async (date) => {
    answers.ps = answerAt(date === 'garbage' ? date : new Date().toUTCString());
    const expiresIn = sampleValue(await exporter.scrape(), 'ollama_model_expires_in_seconds') ?? 0;
    const now = Date.parse(inTenMinutes) - expiresIn * 1_000;
    expect(Math.abs(Date.now() - now)).toBeLessThan(1_000);
  });
});
