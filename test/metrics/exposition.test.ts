import fc from 'fast-check';
import { Gauge, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { renderExposition } from '../../src/metrics/exposition.ts';
import { METRICS, type MetricFamily } from '../../src/metrics/families.ts';
import { ApiError } from '../../src/ollama/errors.ts';
import { parseInstalledModels } from '../../src/ollama/installed-models.ts';
import { parsersWithMemory } from '../../src/ollama/parsers.ts';
import { parseRunningModels } from '../../src/ollama/running-models.ts';
import type { Snapshot } from '../../src/scrape/snapshot.ts';
import { parseLabels } from '../exposition.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Hands over ready samples: `set()` would take two labels for one where a value holds what joins them. */
class ReadyGauge extends Gauge {
  readonly #samples: readonly Sample[];

  constructor({ name, help, labelNames }: MetricFamily, samples: readonly Sample[], registry: Registry) {
    super({ name, help, labelNames, registers: [registry] });
    this.#samples = samples;
  }

  override async get() {
    return { ...(await super.get()), values: [...this.#samples] };
  }
}

function byPromClient(snapshot: Snapshot): Promise<string> {
  const registry = new Registry();
  for (const family of METRICS) {
    const samples: Sample[] = [];
    family.samples(snapshot, (labels, value) =>
      samples.push({ labels: parseLabels(labels.slice(1, -1)), value }),
    );
    if (samples.length > 0) {
      new ReadyGauge(family, samples, registry);
    }
  }
  return registry.metrics();
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('a"b', 'a\\b', 'a\nb', '\\n', '{}', ',="', ''),
);
const moments = fc.constantFrom('2318-12-01T00:00:00Z', '2026-08-22T12:04:31Z', 'soon', undefined);
const row = fc.record({
  model: text,
  size: fc.oneof(fc.nat(), fc.constantFrom(2 ** 53, 1e21, 0.5)),
  size_vram: fc.nat(),
  digest: text,
  context_length: fc.nat(),
  expires_at: moments,
  modified_at: moments,
  details: fc.record({ quantization_level: text, family: text, parameter_size: text }),
});
const now = fc.date({ min: new Date('2026-01-01'), max: new Date('2400-01-01'), noInvalidDate: true });
const bytes = fc.option(fc.nat(), { nil: undefined });
const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    rows: fc.array(row),
    disk: fc.array(row),
    now,
    vram: bytes,
    ram: bytes,
    version: text,
    fails: fc.nat(7),
  })
  .map(({ rows, disk, now: at, vram, ram, version, fails }) => {
    const outcome = <T>(bit: number, value: T) =>
      fails & bit
        ? ({ ok: false, error: new ApiError('timeout', 'x'), seconds: 1.5 } as const)
        : ({ ok: true, value, seconds: 1e-7 } as const);
    return {
      capacity: { vramBytes: vram, memoryBytes: ram },
      ps: outcome(1, { ...parseRunningModels({ models: rows }), nowMs: at.getTime() }),
      version: outcome(2, version),
      tags: outcome(4, parseInstalledModels({ models: disk })),
    };
  });

test('whatever Ollama says, it is what prom-client would print', async () => {
  await fc.assert(
    fc.asyncProperty(snapshots, async (snapshot) => {
      expect(renderExposition(snapshot).toString()).toBe(await byPromClient(snapshot));
    }),
  );
});

describe('with a memory of the last answer', () => {
  const models = (count: number) =>
    JSON.stringify({
      models: Array.from({ length: count }, (_, index) => ({
        model: `m${index}`,
        size: count,
        expires_at: '2047-08-22T12:04:31Z',
      })),
    });

  test('a series of answers is printed as without one, whenever each came', async () => {
    const { ps } = parsersWithMemory();
    const answers = fc.array(fc.record({ count: fc.nat(3), now }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(answers, async (series) => {
        for (const { count, now: at } of series) {
          const body = models(count);
          const snapshot = (list: ReturnType<typeof ps>): Snapshot => ({
            capacity: { vramBytes: undefined, memoryBytes: undefined },
            ps: { ok: true, value: { ...list, nowMs: at.getTime() }, seconds: 0.1 },
          });
          const expected = await byPromClient(snapshot(parseRunningModels(JSON.parse(body))));
          expect(renderExposition(snapshot(ps(body))).toString()).toBe(expected);
        }
      }),
    );
  });

  test('an answer that is the same is not read again, and one that differs is', () => {
    const { ps } = parsersWithMemory();
    const first = ps(models(2));
    expect(ps(models(2))).toBe(first);
    expect(ps(models(1)).models).toHaveLength(1);
    expect(ps(models(2))).not.toBe(first);
  });

  test('an answer that makes no sense does not take the place of the last one', () => {
    const { ps } = parsersWithMemory();
    const first = ps(models(2));
    expect(() => ps('<html>')).toThrow(ApiError);
    expect(ps(models(2))).toBe(first);
  });
});
