import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { metricNames } from '../promql.ts';
import { readRules } from '../rule-files.ts';

const RUNBOOKS = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8');
const alerts = readRules('alerts.yml');

/** As GitHub makes anchors of headings. */
const anchors = [...RUNBOOKS.matchAll(/^## (.+)$/gm)].map(([, heading = '']) =>
  heading.toLowerCase().replaceAll(' ', '-'),
);

describe.each(alerts)('$alert', ({ alert = '', labels, annotations }) => {
  test('has a severity, a static summary and a description of what is wrong where', () => {
    expect(['critical', 'warning', 'info']).toContain(labels?.['severity']);
    expect(annotations?.['summary']).toMatch(/^[A-Z][^{]*\.$/);
    expect(annotations?.['description']).toMatch(/\$labels\.instance/);
  });

  test('leads to a section of the runbooks of its own', () => {
    const [page, anchor] = annotations?.['runbook_url']?.split('#') ?? [];
    expect(page).toMatch(/\/docs\/runbooks\.md$/);
    expect(anchor).toBe(alert.toLowerCase());
    expect(anchors).toContain(anchor);
  });

  test('is explained: what it means, what to look at, what to do', () => {
    const section = RUNBOOKS.split(`\n## ${alert}\n`)[1]?.split('\n## ')[0] ?? '';
    expect(section).toMatch(/\*\*Means\*\*.*\*\*Look at\*\*.*\*\*Do\*\*/s);
  });
});

test('no section is about an alert that is not there', () => {
  expect(anchors).toEqual(alerts.map(({ alert = '' }) => alert.toLowerCase()));
});

test('links within the runbooks lead somewhere', () => {
  for (const [, anchor] of RUNBOOKS.matchAll(/\]\(#([^)]+)\)/g)) {
    expect(anchors).toContain(anchor);
  }
});

test('the PromQL in the documentation is PromQL', () => {
  const page = readFileSync(new URL('../../docs/capacity.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```promql\n(.*?)```/gs)].map(([, expr = '']) => expr.trim());
  expect(examples).toHaveLength(3);
  for (const expr of examples) {
    expect(metricNames(expr).length).toBeGreaterThan(1);
  }
});
