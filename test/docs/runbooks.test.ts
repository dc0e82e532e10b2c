import { describe, expect, test } from 'vitest';
import { anchors, codeBlocks, readPage, section } from '../markdown.ts';
import { exportedNames } from '../metric-names.ts';
import { metricNames } from '../promql.ts';
import { readRules } from '../rule-files.ts';

const RUNBOOKS = readPage('docs/runbooks.md');
const alerts = readRules('alerts.yml');
const [, ...sections] = anchors(RUNBOOKS);

describe.each(alerts)('$alert', ({ alert = '', labels, annotations }) => {
  test('has a severity, and a summary and a description that name the server, and the model it is about', () => {
    expect(['critical', 'warning', 'info']).toContain(labels?.['severity']);
    const named = alert.startsWith('OllamaModel') && alert !== 'OllamaModelListUnavailable';
    for (const text of [annotations?.['summary'], annotations?.['description']]) {
      expect(text).toContain('$labels.instance');
      expect(text?.includes('or $labels.exported_model $labels.model')).toBe(
        named || alert === 'OllamaContextShrunk',
      );
    }
  });

  test('leads to a section of the runbooks of its own', () => {
    const [page, anchor] = annotations?.['runbook_url']?.split('#') ?? [];
    expect(page).toMatch(/\/docs\/runbooks\.md$/);
    expect(anchor).toBe(alert.toLowerCase());
    expect(sections).toContain(anchor);
  });

  test('has whether it can wait, its meaning and impact, a diagnosis with commands, and steps to mitigate it', () => {
    expect(section(RUNBOOKS, alert)).toMatch(
      /^\n\*\*Can it wait until morning\?\*\* (Yes|No)\b.*\n\*\*Meaning\*\*: .*\n\*\*Impact\*\*: .*\n\*\*Diagnosis\*\*\n\n1\. .*```sh\n.*\n\*\*Mitigation\*\*[^\n]*\n\n1\. /s,
    );
  });
});

test('no section is about an alert that is not there', () => {
  expect(sections).toEqual(alerts.map(({ alert = '' }) => alert.toLowerCase()));
});

test('the queries are PromQL, about metrics that there are', async () => {
  const exported = new Set(['up', ...(await exportedNames())]);
  const queries = codeBlocks(RUNBOOKS, 'promql');
  expect(queries.length).toBeGreaterThan(10);
  expect(queries.flatMap((query) => metricNames(query.trim())).filter((name) => !exported.has(name))).toEqual(
    [],
  );
});

test('what can wait until morning is no critical alert, and what cannot is one', () => {
  const waits = alerts.map(({ alert = '' }) => /morning\?\*\* Yes/.test(section(RUNBOOKS, alert)));
  expect(waits).toEqual(alerts.map(({ labels }) => labels?.['severity'] !== 'critical'));
});

test('the PromQL about capacities is PromQL', () => {
  const examples = codeBlocks(readPage('docs/capacity.md'), 'promql');
  expect(examples).toHaveLength(3);
  for (const expr of examples) {
    expect(metricNames(expr.trim()).length).toBeGreaterThan(1);
  }
});
