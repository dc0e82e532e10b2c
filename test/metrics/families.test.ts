import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAMILIES } from '../../src/metrics/families.ts';
import { createRender } from '../../src/metrics/registry.ts';
import { ApiError } from '../../src/ollama/errors.ts';
import { parseInstalledModels, parseRunningModels, type RunningModels } from '../../src/ollama/models.ts';
import type { Outcome, Snapshot } from '../../src/scrape/snapshot.ts';
import { corpusNames, FROZEN_NOW_MS, readCorpus, readFixture } from '../corpus.ts';
import { type Exposition, parseExposition, sampleValue } from '../exposition.ts';

const NO_CAPACITY = { vramBytes: undefined, memoryBytes: undefined };
const VERSION: Outcome<string> = { ok: true, value: '0.33.0-rc2', seconds: 0.00025 };

function snapshotOf(body: unknown, version = VERSION): Snapshot {
  const value: RunningModels = { ...parseRunningModels(body), nowMs: FROZEN_NOW_MS };
  return { capacity: NO_CAPACITY, ps: { ok: true, value, seconds: 0.0005 }, version };
}

function failed(error: ApiError): Outcome<never> {
  return { ok: false, error, seconds: 1.5 };
}

async function render(snapshot: Snapshot): Promise<{ text: string; exposition: Exposition }> {
  const text = await createRender()(snapshot);
  return { text, exposition: parseExposition(text) };
}

describe('the corpus of /api/ps bodies', () => {
  const bodies = corpusNames().filter((name) => name.endsWith('.json'));

  test.each(bodies.filter((name) => !name.startsWith('17-')))(
    '%s gives its golden exposition',
    async (name) => {
      const { text } = await render(snapshotOf(JSON.parse(readCorpus(name))));
      await expect(text).toMatchFileSnapshot(`../fixtures/expositions/${name.replace('.json', '.prom')}`);
    },
  );

  test.each(bodies)('%s agrees with `ollama ps`', async (name) => {
    const { exposition } = await render(snapshotOf(JSON.parse(readCorpus(name))));
    const expected = readFixture('expected-cli.json') as Record<string, { rows: readonly string[][] }>;
    const rows = expected[name]?.rows ?? [];
    expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(rows.length);
    for (const [model = '', id = '', , processor, context, until = ''] of rows) {
      expect(exposition.get('ollama_model_info')?.samples).toContainEqual(
        expect.objectContaining({
          labels: expect.objectContaining({ model, digest: expect.stringMatching(`^${id}`) }),
        }),
      );
      expect(processorOf(exposition, model)).toBe(processor);
      expect(sampleValue(exposition, 'ollama_model_context_length_tokens', { model }) ?? 0).toBe(
        Number(context),
      );
      expect(untilOf(exposition, model)).toBe(until.replace(/^.* from now$/, 'later'));
    }
  });
});

/** The PROCESSOR column of `ollama ps` (cmd/cmd.go:1124-1177), derived from the series. */
function processorOf(exposition: Exposition, model: string): string {
  const size = sampleValue(exposition, 'ollama_model_size_bytes', { model }) ?? Number.NaN;
  const vram = sampleValue(exposition, 'ollama_model_size_vram_bytes', { model });
  if (vram === undefined) {
    return 'no series';
  }
  if (vram === 0 || vram === size) {
    return vram === 0 ? '100% CPU' : '100% GPU';
  }
  const cpu = Math.round(((size - vram) / size) * 100);
  return vram > size || size === 0 ? 'Unknown' : `${cpu}%/${100 - cpu}% CPU/GPU`;
}

/** The UNTIL column as far as it depends on the sign; a zero time is shown as past there and absent here. */
function untilOf(exposition: Exposition, model: string): string {
  const expiresIn = sampleValue(exposition, 'ollama_model_expires_in_seconds', { model }) ?? -1;
  if (expiresIn === Number.POSITIVE_INFINITY) {
    return 'Forever';
  }
  return expiresIn < 0 ? 'Stopping...' : 'later';
}

describe('a failed response', () => {
  const timeout = new ApiError('timeout', 'no complete response within 4.5 s');
  const refused = new ApiError('refused', 'connect ECONNREFUSED 127.0.0.1:11434');

  test('of /api/ps alone leaves Ollama up, without model series', async () => {
    const { exposition } = await render({ capacity: NO_CAPACITY, ps: failed(timeout), version: VERSION });
    expect([...exposition.keys()]).toEqual([
      'ollama_up',
      'ollama_version_info',
      'ollama_scrape_success',
      'ollama_scrape_duration_seconds',
      'ollama_scrape_error',
    ]);
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'ps' })).toBe(0);
    expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'version' })).toBe(1);
    expect(exposition.get('ollama_scrape_error')?.samples).toEqual([
      { labels: { api: 'ps', reason: 'timeout' }, value: 1 },
    ]);
    expect(sampleValue(exposition, 'ollama_scrape_duration_seconds', { api: 'ps' })).toBe(1.5);
  });

  test('of /api/version alone leaves Ollama up, without a version series', async () => {
    const { exposition } = await render({ ...snapshotOf({ models: [] }), version: failed(timeout) });
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(0);
    expect(exposition.has('ollama_version_info')).toBe(false);
  });

  test('of both endpoints means down, with both reasons', async () => {
    const { exposition } = await render({
      capacity: NO_CAPACITY,
      ps: failed(timeout),
      version: failed(refused),
    });
    expect(sampleValue(exposition, 'ollama_up')).toBe(0);
    expect(exposition.get('ollama_scrape_error')?.samples.map(({ labels }) => labels)).toEqual([
      { api: 'ps', reason: 'timeout' },
      { api: 'version', reason: 'refused' },
    ]);
    expect([...exposition.keys()].filter((name) => /model|version_info/.test(name))).toEqual([]);
  });
});

describe('the capacity', () => {
  const GIB = 1024 ** 3;

  test('is exposed if known, even while Ollama is down', async () => {
    const down = failed(new ApiError('refused', 'connect ECONNREFUSED'));
    const capacity = { vramBytes: 24 * GIB, memoryBytes: 64 * GIB };
    const { exposition } = await render({ capacity, ps: down, version: down });
    expect(sampleValue(exposition, 'ollama_vram_capacity_bytes')).toBe(24 * GIB);
    expect(sampleValue(exposition, 'ollama_memory_capacity_bytes')).toBe(64 * GIB);
  });

  test('is absent if unknown', async () => {
    const { text } = await render(snapshotOf({ models: [] }));
    expect(text).not.toContain('capacity');
  });
});

describe('installed models', () => {
  const body = {
    models: [
      {
        name: 'a:1',
        size: 5,
        digest: 'd1',
        modified_at: '2026-08-01T09:30:00.5+02:00',
        details: { quantization_level: 'Q4' },
      },
      { name: 'b:1', size: 7, digest: 'd2', modified_at: '0001-01-01T00:00:00Z' },
      { name: '', size: 7 },
    ],
  };
  const withTags = {
    ...snapshotOf({ models: [] }),
    tags: { ok: true, value: parseInstalledModels(body), seconds: 0.25 },
  } as const;

  test('are exposed with size and modification time if requested', async () => {
    const { exposition } = await render(withTags);
    expect(sampleValue(exposition, 'ollama_installed_models')).toBe(3);
    expect(exposition.get('ollama_installed_model_size_bytes')?.samples).toEqual([
      { labels: { model: 'a:1', quantization: 'Q4' }, value: 5 },
      { labels: { model: 'b:1', quantization: 'unknown' }, value: 7 },
    ]);
    expect(exposition.get('ollama_installed_model_modified_timestamp_seconds')?.samples).toEqual([
      { labels: { model: 'a:1', quantization: 'Q4' }, value: 1_785_569_400.5 },
    ]);
    expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'tags' })).toBe(1);
    expect(sampleValue(exposition, 'ollama_scrape_duration_seconds', { api: 'tags' })).toBe(0.25);
  });

  test('are a separate error if the request fails, and leave ollama_up at 1', async () => {
    const error = failed(new ApiError('status', 'status 500'));
    const { exposition } = await render({ ...withTags, tags: error });
    expect(sampleValue(exposition, 'ollama_up')).toBe(1);
    expect(sampleValue(exposition, 'ollama_scrape_success', { api: 'tags' })).toBe(0);
    expect(sampleValue(exposition, 'ollama_scrape_error', { api: 'tags', reason: 'status' })).toBe(1);
    expect([...exposition.keys()].filter((name) => name.includes('installed'))).toEqual([]);
  });

  test('are absent if not requested', async () => {
    const { text } = await render(snapshotOf({ models: [] }));
    expect(text).not.toMatch(/installed|tags/);
  });
});

describe('untrusted text', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 40 });
  const nasty = fc.string({
    unit: fc.constantFrom('"', '\\', '\n', '\r', 'n', '{', '}', ',', '=', '\0', ' ', '#', '\u2028'),
  });
  const text = fc.oneof(anything, nasty, fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'a') }));

  /** The expected label value: texts with line breaks or invisible characters are dropped. */
  const shown = (value: string) =>
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u.test(value)
      ? ''
      : value.toWellFormed();

  test('is exposed unchanged or not at all in each label, and never duplicates a series', async () => {
    const rows = fc.array(
      fc.record({
        model: text,
        digest: text,
        size: fc.nat(),
        details: fc.record({ quantization_level: text, family: text, format: text, parameter_size: text }),
      }),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(rows, async (models) => {
        const { exposition } = await render(snapshotOf({ models }));
        const expected = new Set(models.map(({ model }) => shown(model)).filter((model) => model !== ''));
        const infos = exposition.get('ollama_model_info')?.samples ?? [];
        expect(new Set(infos.map(({ labels }) => labels['model']))).toEqual(expected);
        const families = new Set(models.map(({ details }) => shown(details.family)));
        expect(infos.every(({ labels }) => families.has(labels['family'] ?? ''))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('never merges two models into one series', async () => {
    const rows = [
      { model: 'a,quantization:b', size: 1, details: { quantization_level: 'c' } },
      { model: 'a', size: 2, details: { quantization_level: 'b,quantization:c' } },
    ];
    const { exposition } = await render(snapshotOf({ models: rows }));
    expect(exposition.get('ollama_model_size_bytes')?.samples.map(({ value }) => value)).toEqual([2, 1]);
  });

  test('is escaped in the version, too', async () => {
    const version = { ok: true, value: '0.1"\n\\', seconds: 0 } as const;
    const { exposition } = await render(snapshotOf({ models: [] }, version));
    expect(exposition.get('ollama_version_info')?.samples[0]?.labels).toEqual({ version: '0.1"\n\\' });
  });
});

test('skipped rows are counted', async () => {
  const { exposition } = await render(snapshotOf({ models: [{ model: 'a', size: 1 }, null, { size: 1 }] }));
  expect(sampleValue(exposition, 'ollama_scrape_skipped_models')).toBe(2);
  expect(sampleValue(exposition, 'ollama_loaded_models')).toBe(3);
});

test('no series of a snapshot remains in the next one', async () => {
  const full = snapshotOf(JSON.parse(readCorpus('02-one-gpu.json')));
  await render(full);
  const { exposition } = await render(snapshotOf({ models: [] }));
  expect(exposition.has('ollama_model_info')).toBe(false);
});

test('identical rows without a digest are one info series', async () => {
  const row = { model: 'a', size: 1 };
  const { exposition } = await render(snapshotOf({ models: [row, row] }));
  expect(exposition.get('ollama_model_info')?.samples).toHaveLength(1);
});

test.each(FAMILIES)('the help of $name is a sentence', ({ help }) => {
  expect(help).toMatch(/^[A-Z].*\.$/);
});
