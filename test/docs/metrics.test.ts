import { expect, test } from 'vitest';
import { FAMILIES } from '../../src/metrics/families.ts';
import { REASONS } from '../../src/ollama/errors.ts';
import { codeBlocks, readPage, table } from '../markdown.ts';
import { ownMetrics } from '../own-metrics.ts';
import { metricNames } from '../promql.ts';

const PAGE = readPage('docs/metrics.md');

test('the metrics table names every metric, its type and its labels, in the order of the exposition', () => {
  const documented = table(PAGE, 'Ollama').map(([name, type, labels]) => ({ name, type, labels }));
  const exported = FAMILIES.map(({ name, labelNames }) => ({
    name,
    type: 'gauge',
    labels: labelNames.join(', '),
  }));
  expect(documented).toEqual(exported);
});

test("the exporter's own metrics are named with their types, prom-client's by their prefix", async () => {
  const documented = table(PAGE, 'The exporter itself').map(([name, type]) => ({ name, type }));
  const exported = await ownMetrics();
  expect(documented).toEqual(exported.filter(({ name }) => !/^(process|nodejs)_/.test(name)));
});

test('every reason for which a request can fail is explained, and no other', () => {
  expect(table(PAGE, 'Why a request failed').map(([reason]) => reason)).toEqual(Object.keys(REASONS));
});

const QUERIES = codeBlocks(PAGE, 'promql');

test.each(QUERIES)('the query is PromQL, of metrics that exist: %s', async (query) => {
  const names = metricNames(query.trim());
  expect(names.length).toBeGreaterThan(0);
  const exposed = [...FAMILIES, ...(await ownMetrics())].map(({ name }) => name);
  expect(exposed).toEqual(expect.arrayContaining([...names]));
});
