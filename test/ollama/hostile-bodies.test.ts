import type { RequestListener } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { corpusNames, readCorpus } from '../corpus.ts';
import { type InProcessExporter, startInProcess } from '../exporter-in-process.ts';
import { sampleValue } from '../exposition.ts';
import { type FakeOllama, startFakeOllama } from '../fake-ollama.ts';

let body: Uint8Array | string;
let ollama: FakeOllama;
let exporter: InProcessExporter;

beforeAll(async () => {
  const handler: RequestListener = (_request, response) => response.end(body);
  ollama = await startFakeOllama({ ps: handler, version: handler });
  exporter = await startInProcess(ollama.url);
});

afterAll(async () => {
  await exporter.close();
  await ollama.close();
});

const corpus = corpusNames()
  .filter((name) => !name.startsWith('17-'))
  .map((name) => readCorpus(name));

/** A valid body with a part removed, repeated or overwritten. */
const mutated = fc
  .record({
    text: fc.constantFrom(...corpus),
    at: fc.nat(),
    length: fc.nat(20),
    by: fc.string({ unit: 'binary' }),
  })
  .map(({ text, at, length, by }) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + by + text.slice(start + length);
  });

/** Rows with the right keys and values of any type. */
const value = fc.oneof(fc.jsonValue(), fc.double(), fc.string({ unit: 'binary' }), fc.constant('1e999'));
const row = fc.record(
  {
    name: value,
    model: value,
    size: fc.oneof(fc.nat(), value),
    size_vram: fc.oneof(fc.nat(), value),
    digest: value,
    details: fc.oneof(value, fc.record({ quantization_level: value, family: value })),
    expires_at: fc.oneof(
      value,
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    ),
    context_length: value,
  },
  { requiredKeys: [] },
);
const plausible = fc
  .record({ models: fc.oneof(fc.array(fc.oneof(row, value)), value), version: value })
  .map((object) => JSON.stringify(object));

test.each([
  ['arbitrary bytes', fc.uint8Array({ maxLength: 200 })],
  ['arbitrary JSON', fc.json()],
  ['a damaged recorded response', mutated],
  ['rows with values of any type', plausible],
])('/metrics returns 200 and valid text when Ollama returns %s', async (_, bodies) => {
  await fc.assert(
    fc.asyncProperty(bodies, async (hostile) => {
      body = hostile;
      const exposition = await exporter.scrape();
      expect(sampleValue(exposition, 'ollama_up')).toBeOneOf([0, 1]);
      const rows = sampleValue(exposition, 'ollama_loaded_models') ?? 0;
      const skipped = sampleValue(exposition, 'ollama_scrape_skipped_models') ?? 0;
      expect(rows).toBeGreaterThanOrEqual(skipped);
    }),
    { numRuns: 300 },
  );
});

const reasonOfPs = { api: 'ps', reason: 'too_large' };

test.each([
  ['a million nested lists', '['.repeat(1_000_000)],
  ['100,000 nested objects', '{"a":'.repeat(100_000)],
  ['100,000 numbers', `{"models":[],"more":[${'0,'.repeat(100_000)}0]}`],
])('a response with more than 100,000 values is too large: %s', async (_, hostile) => {
  body = hostile;
  const exposition = await exporter.scrape();
  expect(sampleValue(exposition, 'ollama_up')).toBe(0);
  expect(sampleValue(exposition, 'ollama_scrape_error', reasonOfPs)).toBe(1);
});
