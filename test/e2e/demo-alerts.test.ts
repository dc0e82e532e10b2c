/** Which alerts fire in the demo, and when: the shipped rules evaluated over simulated scrapes. */
import { describe, expect, inject, test } from 'vitest';
import { DEMO_MACHINE, simulate } from '../../src/demo/simulation.ts';
import { type Expected, type InputSeries, ruleTest } from './promtool.ts';

const promtool = inject('prometheus')?.['promtool'];

const START = Date.parse('2026-08-22T12:00:00Z');
const TARGET = 'job="ollama",instance="localhost:10434"';

/** Scrapes of the demo every 15 s, starting so many seconds after its start. */
function scrapes(seed: number, firstSecond: number, minutes: number): InputSeries {
  const loadedAt = simulate(seed, START);
  const series = new Map<string, string[]>();
  const times = Array.from(
    { length: minutes * 4 },
    (_, scrape) => START + (firstSecond + scrape * 15) * 1_000,
  );
  for (const [scrape, nowMs] of times.entries()) {
    const put = (name: string, value: number) => {
      const values = series.get(name) ?? times.map(() => '_');
      values[scrape] = String(value).replace('Infinity', 'Inf');
      series.set(name, values);
    };
    const rows = loadedAt(nowMs);
    put(`up{${TARGET}}`, 1);
    put(`ollama_up{${TARGET}}`, 1);
    put(`ollama_scrape_success{api="ps",${TARGET}}`, 1);
    put(`ollama_vram_capacity_bytes{${TARGET}}`, DEMO_MACHINE.vramBytes);
    put(`ollama_memory_capacity_bytes{${TARGET}}`, DEMO_MACHINE.memoryBytes);
    put(`ollama_loaded_models{${TARGET}}`, rows.length);
    for (const { model, sizeVramBytes, expiresAtMs } of rows) {
      const labels = `model="${model.name}",quantization="${model.quantization}",${TARGET}`;
      put(`ollama_model_size_bytes{${labels}}`, model.sizeBytes);
      put(`ollama_model_size_vram_bytes{${labels}}`, sizeVramBytes);
      put(`ollama_model_context_length_tokens{${labels}}`, model.contextLength);
      const inSeconds = (expiresAtMs - nowMs) / 1_000;
      put(
        `ollama_model_expires_in_seconds{${labels}}`,
        inSeconds > 1e9 ? Number.POSITIVE_INFINITY : inSeconds,
      );
    }
  }
  return Object.fromEntries([...series].map(([name, values]) => [name, values.join(' ')]));
}

const VALUE = (expr: string, eval_time: string, ...values: readonly number[]): Expected => ({
  promql_expr_test: [{ expr, eval_time, exp_samples: values.map((value) => ({ labels: '{}', value })) }],
});

const FIRING = (alert: string) => `ALERTS{alertname=~"${alert}",alertstate="firing"}`;

describe.skipIf(promtool === undefined)('the demo', () => {
  const check = ruleTest(promtool ?? '');
  const first = (alert: string, within: string) =>
    `min(min_over_time(timestamp(${FIRING(alert)})[${within}:15s]))`;

  describe.each([11434, 1, 2, 3])('with the seed %d', (seed) => {
    test.each([0, 7, 15, 30, 45])(
      'fires OllamaVramAlmostFull before OllamaVramFull, and both resolve within ten minutes, if scraped from second %d',
      (later) => {
        const series = scrapes(seed, later, 10);
        const end = `${600 - 15 - later}s`;
        const order = `${first('OllamaVramFull', '10m')} - ${first('OllamaVramAlmostFull', '10m')} > bool 0`;
        expect(check(series, VALUE(order, end, 1))).toBe('SUCCESS');
        expect(check(series, VALUE(`count(${FIRING('OllamaVram.+')})`, end))).toBe('SUCCESS');
      },
    );

    test('fires both every half hour, OllamaModelThrashing occasionally, and no other alert except for a spill', () => {
      const series = scrapes(seed, 5, 180);
      const minutes = (alert: string) => `count(count_over_time(${FIRING(alert)}[1m:15s]) > 0)`;
      expect(
        check(series, VALUE(`max(changes((${minutes('OllamaVramFull')} or vector(0))[3h:1m]))`, '3h', 12)),
      ).toBe('SUCCESS');
      const thrashing = `count_over_time(max(${FIRING('OllamaModelThrashing')})[3h:1m]) < bool 90 > bool 0`;
      expect(check(series, VALUE(thrashing, '3h', 1))).toBe('SUCCESS');
      const others = `count(count_over_time(ALERTS{alertname!~"OllamaVram.+|OllamaModelThrashing",alertstate="firing"}[3h]))`;
      expect(check(series, VALUE(others, '3h'))).toBe('SUCCESS');
    });
  });
});
