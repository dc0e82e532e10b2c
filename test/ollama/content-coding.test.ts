/** Responses that a gateway compressed, although the request accepts only identity. */
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readCorpus } from '../corpus.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { type Exposition, sampleValue } from '../exposition.ts';
import { type FakeOllama, startFakeOllama } from '../fake-ollama.ts';

const PS_BODY = readCorpus('11-names-odd.json');
const VERSION_BODY = '{"version":"0.33.0"}';
const MIB = 1024 ** 2;

/** At its highest quality, which is the default, brotli takes seconds for a bomb. */
const brotli = (body: Buffer) =>
  brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

let codings: string | string[];
let pack: (body: Buffer) => Buffer;
let psBody: string;
let requestHeaders: IncomingHttpHeaders[];
let ollama: FakeOllama;
let exporter: InProcessExporter;

beforeEach(async () => {
  [codings, pack, psBody, requestHeaders] = ['identity', (body) => body, PS_BODY, []];
  const handler =
    (body: () => string): RequestListener =>
    (request, response) => {
      requestHeaders.push(request.headers);
      response.setHeader('content-type', 'application/json').setHeader('content-encoding', codings);
      response.end(pack(Buffer.from(body())));
    };
  ollama = await startFakeOllama({ ps: handler(() => psBody), version: handler(() => VERSION_BODY) });
  exporter = await startInProcess(ollama.url, { timeoutMs: 20_000 });
});

afterEach(async () => {
  await exporter.close();
  await ollama.close();
});

const twice = (body: Buffer) => brotliCompressSync(gzipSync(body));

function reasonsOf(exposition: Exposition): readonly (string | undefined)[] {
  return exposition.get('ollama_scrape_error')?.samples.map(({ labels }) => labels['reason']) ?? [];
}

test.each<[string | string[], (body: Buffer) => Buffer]>([
  ['gzip', gzipSync],
  ['GZIP', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['identity', (body) => body],
  ['', (body) => body],
  ['gzip, br', twice],
  [['gzip', 'br'], twice],
  ['gzip', (body) => Buffer.concat([gzipSync(body.subarray(0, 9)), gzipSync(body.subarray(9))])],
])('a body with Content-Encoding %j is decompressed', async (names, packer) => {
  [codings, pack] = [names, packer];
  const exposition = await exporter.scrape();
  expect(reasonsOf(exposition)).toEqual([]);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(6);
});

test('requests accept only the identity coding', async () => {
  await exporter.scrape();
  expect(requestHeaders.map((headers) => headers['accept-encoding'])).toEqual(['identity', 'identity']);
});

test.each<[string, (body: Buffer) => Buffer, string]>([
  ['zstd', (body) => body, 'the response has the content coding "zstd"'],
  ['compress', (body) => body, 'the response has the content coding "compress"'],
  ['gzip', (body) => body, 'the response is not valid gzip: incorrect header check'],
  [
    'gzip',
    (body) => gzipSync(body).subarray(0, -12),
    'the response is not valid gzip: unexpected end of file',
  ],
  ['br', (body) => body, 'the response is not valid br: '],
  ['deflate', () => Buffer.alloc(0), 'the response is not valid deflate: unexpected end of file'],
  ['gzip, gzip, gzip, gzip', (body) => body, 'the response has 4 content codings, more than 3'],
])(
  "a body with Content-Encoding %s that can't be decoded is invalid, and the error names it",
  async (names, packer, message) => {
    [codings, pack] = [names, packer];
    expect(reasonsOf(await exporter.scrape())).toEqual(['invalid', 'invalid']);
    expect(exporter.stateLines()[0]).toContain(message.replaceAll('"', '\\"'));
  },
);

test.each<[string, (body: Buffer) => Buffer]>([
  ['gzip', gzipSync],
  ['br', brotli],
  ['gzip, gzip', (body) => gzipSync(gzipSync(body))],
])(
  'a decompression bomb in %s is too_large, and uses no more memory than a body of the maximum size',
  async (names, packer) => {
    [codings, pack] = [names, packer];
    const bomb = packer(Buffer.alloc(200 * MIB, ' '));
    psBody = 'bomb';
    pack = (body) => (body.toString() === psBody ? bomb : packer(body));
    const before = process.memoryUsage.rss();
    expect(reasonsOf(await exporter.scrape())).toEqual(['too_large']);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * MIB);
  },
);

test('the limit of 2 MiB applies to the decompressed body', async () => {
  [codings, pack] = ['gzip', gzipSync];
  const frame = JSON.stringify({ models: [], padding: '' }).length;
  psBody = JSON.stringify({ models: [], padding: 'x'.repeat(2 * MIB - frame) });
  expect(sampleValue(await exporter.scrape(), 'ollama_loaded_models')).toBe(0);
  psBody = `${psBody} `;
  expect(reasonsOf(await exporter.scrape())).toEqual(['too_large']);
});
