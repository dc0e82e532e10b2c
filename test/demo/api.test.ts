import { expect, test } from 'vitest';
import { psBody, versionBody } from '../../src/demo/api.ts';
import type { ListedModel } from '../../src/demo/scheduler.ts';
import { readCorpus } from '../corpus.ts';

interface Row {
  readonly name: string;
  readonly size: number;
  readonly digest: string;
  readonly details: Readonly<Record<string, string>>;
  readonly expires_at: string;
  readonly size_vram: number;
  readonly context_length: number;
}

function loadedModels(body: string): readonly ListedModel[] {
  const { models } = JSON.parse(body) as { readonly models: readonly Row[] };
  return models.map((row) => ({
    model: {
      name: row.name,
      digest: row.digest,
      blob: '',
      family: row.details['family'] ?? '',
      parameterSize: row.details['parameter_size'] ?? '',
      quantization: row.details['quantization_level'] ?? '',
      sizeBytes: row.size,
      diskBytes: row.size,
      contextLength: row.context_length,
    },
    sizeVramBytes: row.size_vram,
    expiresAtMs: Date.parse(row.expires_at),
  }));
}

/** The simulation has a resolution of milliseconds. */
function toMilliseconds(body: string): string {
  return body.replaceAll(
    /(T[\d:]+)(\.\d{1,3})?\d*Z/g,
    (_, time, fraction = '') => `${time}${fraction.replace(/\.?0*$/, '')}Z`,
  );
}

test.each([
  '01-empty.json',
  '02-one-gpu.json',
  '03-cpu-only.json',
  '05-forever-utc.json',
  '11-names-odd.json',
  '14-embedding.json',
])('the demo reproduces %s byte for byte', (name) => {
  const recorded = readCorpus(name);
  expect(psBody(loadedModels(recorded))).toBe(toMilliseconds(recorded));
});

test('markup is escaped as in Go', () => {
  expect(versionBody('<&>\u2028')).toBe('{"version":"\\u003c\\u0026\\u003e\\u2028"}');
});
