import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHAT_MODELS, EMBEDDING_MODEL } from '../../src/demo/catalog.ts';
import type { LoadedModel } from '../../src/demo/scheduler.ts';
import { type SimulatedOllama, startSimulatedOllama } from '../../src/demo/server.ts';
import { NO_WORK } from '../../src/demo/work.ts';

let loaded: readonly LoadedModel[] = [];
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({ version: '0.33.0', loaded: () => loaded });
});

afterAll(() => ollama.close());

async function send(method: 'GET' | 'HEAD' | 'POST', path: string) {
  const { statusCode, headers, body } = await request(new URL(path, ollama.url), { method });
  return { status: statusCode, headers, text: await body.text() };
}

test.each([
  ['GET', '/', 200, 'Ollama is running'],
  ['HEAD', '/', 200, ''],
  ['GET', '/api/version', 200, '{"version":"0.33.0"}'],
  ['HEAD', '/api/version', 200, ''],
  ['GET', '/api/ps', 200, '{"models":[]}'],
  ['HEAD', '/api/ps', 405, ''],
  ['POST', '/api/ps', 405, '405 method not allowed'],
  ['GET', '/nothing', 404, '404 page not found'],
] as const)('%s %s returns %d, as in Ollama', async (method, path, status, text) => {
  expect(await send(method, path)).toMatchObject({ status, text });
});

test('a short list has a Content-Length, a long one is chunked, as in Go', async () => {
  const short = await send('GET', '/api/ps');
  expect(short.headers['content-length']).toBe(String('{"models":[]}'.length));
  const models = [EMBEDDING_MODEL, ...CHAT_MODELS, ...CHAT_MODELS];
  const times = { loadedAtMs: 0, expiresAtMs: Date.UTC(2026, 0) };
  loaded = models.map((model) => ({ model, sizeVramBytes: 0, busySlots: 0, work: NO_WORK, ...times }));
  const long = await send('GET', '/api/ps');
  expect(long.headers).toMatchObject({
    'transfer-encoding': 'chunked',
    'content-type': 'application/json; charset=utf-8',
    date: expect.any(String),
  });
  expect(JSON.parse(long.text).models).toHaveLength(11);
});
