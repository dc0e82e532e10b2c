import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { METRICS } from '../../src/metrics/families.ts';
import { createSelfMetrics } from '../../src/metrics/own.ts';
import { codeBlocks, ROOT, readPage, table } from '../markdown.ts';
import { metricNames } from '../promql.ts';

const PAGE = readPage('docs/metrics.md');

test('the metrics table names every metric, its type and its labels, in the order of the exposition', () => {
  const documented = table(PAGE, 'Ollama').map(([name, type, labels]) => ({ name, type, labels }));
  const exported = METRICS.map(({ name, labelNames }) => ({
    name,
    type: 'gauge',
    labels: labelNames.join(', '),
  }));
  expect(documented).toEqual(exported);
});

test("the exporter's own metrics are all named, with their types", () => {
  const reload = () => ({ successful: true, successSeconds: 0 });
  const own = createSelfMetrics({ version: '1', revision: 'x' }, reload).families;
  const documented = table(PAGE, 'The exporter itself').map(([name, type]) => `${name} ${type}`);
  expect([...documented].sort()).toEqual(own.map(({ name, type }) => `${name} ${type}`).sort());
});

test('every reason that a call can fail for is explained, and no other', () => {
  const source = readFileSync(new URL('src/ollama/errors.ts', ROOT), 'utf8');
  const reasons = /FailureReason =\s*([^;]*);/.exec(source)?.[1]?.match(/(?<=')\w+(?=')/g);
  expect(reasons).toHaveLength(9);
  expect(table(PAGE, 'Why a call failed').map(([reason]) => reason)).toEqual(reasons);
});

const QUERIES = codeBlocks(PAGE, 'promql');

test('there are queries to start from', () => {
  expect(QUERIES.length).toBeGreaterThan(5);
});

test.each(QUERIES)('the query is PromQL, of metrics that exist: %s', (query) => {
  const names = metricNames(query.trim());
  expect(names.length).toBeGreaterThan(0);
  expect(METRICS.map(({ name }) => name)).toEqual(expect.arrayContaining([...names]));
});
