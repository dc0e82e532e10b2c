import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { FAMILIES } from '../../src/metrics/families.ts';
import { RUNNER_REASONS } from '../../src/ollama/errors.ts';
import { measuredApi } from '../../src/proxy/apis.ts';
import { OUTCOMES } from '../../src/proxy/outcome.ts';
import { createCounters } from '../../src/runners/counters.ts';
import { readPage, section, table } from '../markdown.ts';

const PAGE = readPage('docs/tokens.md');

async function counters() {
  const registry = new Registry();
  createCounters().registerMetrics(registry);
  return (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({
    name,
    type: String(type),
    help,
  }));
}

test('the table lists every metric of the runners with its type', async () => {
  const gauges = FAMILIES.filter(({ name }) => /_(slots|slots_busy|runner_\w+)$/.test(name));
  expect(table(PAGE, 'Metrics of the runners').map(([name, type]) => ({ name, type }))).toEqual([
    ...gauges.map(({ name }) => ({ name, type: 'gauge' })),
    ...(await counters()).map(({ name, type }) => ({ name, type })),
  ]);
});

test('the help of each counter is a sentence', async () => {
  for (const { help } of await counters()) {
    expect(help).toMatch(/^[A-Z].*\.$/);
  }
});

test('exactly the reasons for missing runners are explained', () => {
  expect(table(PAGE, 'Why runners are missing').map(([reason]) => reason)).toEqual(
    Object.keys(RUNNER_REASONS),
  );
});

test('exactly the outcomes of the proxy are explained', () => {
  expect(table(PAGE, 'What is measured').map(([outcome]) => outcome)).toEqual(OUTCOMES);
});

test('the paths documented as measured are measured', () => {
  const [first = ''] = section(PAGE, 'What is measured').trim().split('\n');
  const paths = [...first.matchAll(/`(\/[^`]+)`/g)].map(([, path = '']) => path);
  expect(paths).toHaveLength(9);
  expect(paths.filter((path) => measuredApi('POST', path) === undefined)).toEqual([]);
});
