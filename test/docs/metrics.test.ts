import { expect, test } from 'vitest';
import { FAMILIES } from '../../src/metrics/families.ts';
import { REASONS } from '../../src/ollama/errors.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { createCounters } from '../../src/runners/counters.ts';
import { codeBlocks, readPage, table } from '../markdown.ts';
import { defaultMetricNames, ownMetrics } from '../own-metrics.ts';
import { metricNames } from '../promql.ts';

const PAGE = readPage('docs/metrics.md');

test('the metrics table lists every metric with its type and labels, in exposition order', () => {
  const documented = table(PAGE, 'Ollama').map(([name, type, labels]) => ({ name, type, labels }));
  const exported = FAMILIES.map(({ name, labelNames }) => ({
    name,
    type: 'gauge',
    labels: labelNames.join(', '),
  }));
  expect(documented).toEqual(exported);
});

test("the exporter's own metrics are listed with their types, prom-client's by prefix", async () => {
  const documented = table(PAGE, 'The exporter itself').map(([name, type]) => ({ name, type }));
  const defaults = defaultMetricNames();
  const exported = (await ownMetrics()).filter(({ name }) => !defaults.includes(name));
  expect(documented).toEqual(exported);
});

test('exactly the reasons for which a request can fail are explained', () => {
  expect(table(PAGE, 'Why a request failed').map(([reason]) => reason)).toEqual(Object.keys(REASONS));
});

const QUERIES = [PAGE, readPage('docs/tokens.md')].flatMap((page) => codeBlocks(page, 'promql'));

test.each(QUERIES)('the query is valid PromQL and uses existing metrics: %s', async (query) => {
  const names = metricNames(query.trim());
  expect(names.length).toBeGreaterThan(0);
  const { registry } = createProxyMetrics();
  createCounters().registerMetrics(registry);
  const exposed = [...FAMILIES, ...(await ownMetrics()), ...registry.getMetricsAsArray()].map(
    ({ name }) => name,
  );
  const ofHistograms = names.map((name) => name.replace(/_bucket$/, ''));
  expect(exposed).toEqual(expect.arrayContaining(ofHistograms));
});

test('the metrics of the proxy are listed with their types and labels, in exposition order', () => {
  const documented = table(PAGE, 'The proxy').map(([name, type, labels]) => ({ name, type, labels }));
  const { registry } = createProxyMetrics();
  const exported = registry.getMetricsAsArray().map((metric) => {
    const { name, type, labelNames }: Record<string, unknown> = Object(metric);
    return { name, type, labels: [labelNames].flat().join(', ') };
  });
  expect(documented).toEqual(exported);
});
