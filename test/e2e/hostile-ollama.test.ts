/** Hostile servers: the exporter survives with 256 MiB of heap, and other scrapes are not affected. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeOllama, json, startFakeOllama, VERSION_BODY } from '../fake-ollama.ts';
import { type RunningExporter, startExporterProcess } from './exporter-process.ts';

const MIB = 1024 ** 2;
const AT_ONCE = 8;
/** Maximum duration of another scrape, with a margin for a busy machine. */
const MAX_MS = 1_000 + 1_000;

const oneRow = (row: object) => JSON.stringify({ models: [{ model: 'a', size: 1, ...row }], version: '1' });
const list = (rows: string) => `{"models":[${rows}]}`;

/** Just under the limits, and far above them. */
const BODIES: Readonly<Record<string, string>> = {
  'five million objects': list(Array(5_000_000).fill('{}').join(',')),
  '99,000 objects': list(Array(99_000).fill('{}').join(',')),
  '99,000 lists of nothing': list(Array(99_000).fill('[]').join(',')),
  'eight million open brackets': '['.repeat(8_000_000),
  'two million open brackets': '['.repeat(2_000_000),
  'a million keys': `{"models":[],${Array.from({ length: 1_000_000 }, (_, key) => `"k${key}":1`).join(',')}}`,
  '90,000 keys': `{"models":[],${Array.from({ length: 90_000 }, (_, key) => `"k${key}":1`).join(',')}}`,
  '50,000 rows': list(Array.from({ length: 50_000 }, (_, n) => `{"model":"m${n}","size":1}`).join(',')),
  '2,000 rows with long texts': list(
    Array.from({ length: 2_000 }, (_, n) =>
      JSON.stringify({
        model: `m${n}${'&'.repeat(400)}`,
        size: 1,
        size_vram: 1,
        digest: `${n}${'"'.repeat(200)}`,
      }),
    ).join(','),
  ),
  ...Object.fromEntries(
    ['&', '"', '𝒳'].flatMap((character) => {
      const text = character.repeat((1.9 * MIB) / Buffer.byteLength(JSON.stringify(character).slice(1, -1)));
      return [
        [`a name of 1.9 MiB of ${character}`, oneRow({ model: text })],
        [`a digest of 1.9 MiB of ${character}`, oneRow({ digest: text })],
        [`a detail of 1.9 MiB of ${character}`, oneRow({ details: { family: text } })],
        [`a version of 1.9 MiB of ${character}`, JSON.stringify({ models: [], version: text })],
      ];
    }),
  ),
  'a name of 15 MiB': oneRow({ model: 'x'.repeat(15 * MIB) }),
};

function oneByteChunks(response: ServerResponse): void {
  response.writeHead(200).flushHeaders();
  const burst = '1\r\n \r\n'.repeat(10_000);
  const { socket } = response;
  const more = () => {
    while (socket?.writable && socket.write(burst));
  };
  socket?.on('drain', more);
  more();
}

let respond: (response: ServerResponse) => void = () => {};
let hostile: FakeOllama;
let good: FakeOllama;
let exporter: RunningExporter;
const folder = mkdtempSync(join(tmpdir(), 'hostile-'));

beforeAll(async () => {
  const misbehave = (_request: unknown, response: ServerResponse) => respond(response);
  hostile = await startFakeOllama({ ps: misbehave, version: misbehave });
  good = await startFakeOllama({ ps: json('{"models":[]}'), version: json(VERSION_BODY) });
  const file = join(folder, 'modules.yml');
  writeFileSync(file, 'modules: { default: { allow: ["127.0.0.0/8"] } }');
  exporter = await startExporterProcess(
    [`--ollama.url=${hostile.url.href}`, `--config.file=${file}`, '--ollama.timeout=2s'],
    { NODE_OPTIONS: '--max-old-space-size=256' },
  );
});

afterAll(async () => {
  await hostile.close();
  await good.close();
  rmSync(folder, { recursive: true });
});

const paths = () => {
  const target = `target=${hostile.url.host}`;
  return [
    '/metrics',
    `/probe?${target}`,
    `/?${target}`,
    `/api/status?${target}`,
    `/probe?${target}&debug=true`,
  ];
};

async function get(
  path: string,
): Promise<{ readonly status: number; readonly text: string; readonly ms: number }> {
  const start = performance.now();
  const { statusCode, body } = await request(new URL(path, exporter.url));
  const text = await body.text();
  return { status: statusCode, text, ms: performance.now() - start };
}

/** Scrapes the good Ollama sequentially until the work is done. */
async function whileOthersScrape(work: Promise<unknown>): Promise<number> {
  let slowestMs = 0;
  let done = false;
  const ended = work.finally(() => {
    done = true;
  });
  do {
    const { text, ms } = await get(`/probe?target=${good.url.host}`);
    expect(text).toContain('\nollama_up 1\n');
    slowestMs = Math.max(slowestMs, ms);
  } while (!done);
  await ended;
  return slowestMs;
}

async function attack(): Promise<void> {
  for (const path of paths()) {
    const { status } = await get(path);
    expect(status).toBe(200);
    const slowestMs = await whileOthersScrape(Promise.all(Array.from({ length: AT_ONCE }, () => get(path))));
    expect(slowestMs).toBeLessThan(MAX_MS);
  }
  // All paths at the same time.
  const slowestMs = await whileOthersScrape(Promise.all(paths().flatMap((path) => [get(path), get(path)])));
  expect(slowestMs).toBeLessThan(MAX_MS);
  expect(exporter.child.exitCode).toBeNull();
}

describe('the exporter survives, and other scrapes are not delayed, if Ollama sends', () => {
  test.each(Object.entries(BODIES))('%s', async (_, body) => {
    const bytes = Buffer.from(body);
    respond = (response) => response.end(bytes);
    await attack();
  });

  test('2,000 names of quotes, with 40 concurrent pages and 100 unread responses', async () => {
    const rows = Array.from({ length: 2_000 }, (_, n) => ({
      model: '"'.repeat(80) + n,
      size: 1,
      size_vram: 1,
    }));
    const bytes = Buffer.from(JSON.stringify({ models: rows, version: '1' }));
    respond = (response) => response.end(bytes);
    const page = `/?target=${hostile.url.host}`;
    await whileOthersScrape(Promise.all(Array.from({ length: 40 }, () => get(page))));
    // With different orders, so that none can share the text of another.
    const orders = Array.from({ length: 40 }, (_, n) => get(`${page}&n=${n}`));
    await whileOthersScrape(Promise.all(orders));
    const unread = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        request(new URL(`/probe?target=${hostile.url.host}/${n}`, exporter.url)),
      ),
    );
    await get(`/probe?target=${good.url.host}`);
    for (const { body } of unread) {
      body.on('error', () => {}).destroy();
    }
    expect(exporter.child.exitCode).toBeNull();
  });

  test('endless one-byte chunks', async () => {
    respond = oneByteChunks;
    await attack();
  });
});
