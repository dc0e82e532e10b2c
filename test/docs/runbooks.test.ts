import { describe, expect, test } from 'vitest';
import { anchors, codeBlocks, readPage, section } from '../markdown.ts';
import { exportedNames } from '../metric-names.ts';
import { metricNames } from '../promql.ts';
import { readRules } from '../rule-files.ts';

const RUNBOOKS = readPage('docs/runbooks.md');
const alerts = readRules('alerts.yml');
const [, ...sections] = anchors(RUNBOOKS);

describe.each(alerts)('$alert', ({ alert = '', labels, annotations }) => {
  test('has a severity, and names the server, and the model if any, in summary and description', () => {
    expect(['critical', 'warning', 'info']).toContain(labels?.['severity']);
    const named = alert.startsWith('OllamaModel') && alert !== 'OllamaModelListUnavailable';
    for (const text of [annotations?.['summary'], annotations?.['description']]) {
      expect(text).toContain('$labels.instance');
      expect(text?.includes('or $labels.exported_model $labels.model')).toBe(
        named || alert === 'OllamaContextShrunk',
      );
    }
  });

  test('links to its own runbook', () => {
    const [page, anchor] = annotations?.['runbook_url']?.split('#') ?? [];
    expect(page).toMatch(/\/docs\/runbooks\.md$/);
    expect(anchor).toBe(alert.toLowerCase());
    expect(sections).toContain(anchor);
  });

  test('has a runbook with urgency, meaning, impact, diagnosis with commands, and mitigation', () => {
    expect(section(RUNBOOKS, alert)).toMatch(
      /^\n\*\*Can it wait until morning\?\*\* (Yes|No)\b.*\n\*\*Meaning\*\*: .*\n\*\*Impact\*\*: .*\n\*\*Diagnosis\*\*\n\n1\. .*```sh\n.*\n\*\*Mitigation\*\*[^\n]*\n\n1\. /s,
    );
  });
});

test('every runbook belongs to an alert', () => {
  expect(sections).toEqual(alerts.map(({ alert = '' }) => alert.toLowerCase()));
});

test('the queries are valid PromQL and use existing metrics', async () => {
  const exported = new Set(['up', ...(await exportedNames())]);
  const queries = codeBlocks(RUNBOOKS, 'promql');
  expect(queries.length).toBeGreaterThan(10);
  expect(queries.flatMap((query) => metricNames(query.trim())).filter((name) => !exported.has(name))).toEqual(
    [],
  );
});

test("alerts are critical if and only if they can't wait until morning", () => {
  const waits = alerts.map(({ alert = '' }) => /morning\?\*\* Yes/.test(section(RUNBOOKS, alert)));
  expect(waits).toEqual(alerts.map(({ labels }) => labels?.['severity'] !== 'critical'));
});

test('the queries in docs/capacity.md are valid PromQL', () => {
  const examples = codeBlocks(readPage('docs/capacity.md'), 'promql');
  expect(examples).toHaveLength(3);
  for (const expr of examples) {
    expect(metricNames(expr.trim()).length).toBeGreaterThan(1);
  }
});
