import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readDashboard } from '../dashboard.ts';
import { codeBlocks, readPage, section, table } from '../markdown.ts';
import { readRules } from '../rule-files.ts';

const PAGE = readPage('docs/alerting.md');
const alerts = readRules('alerts.yml');

test('the table of alerts says of each its runbook, severity, duration and threshold, in the order of the file', () => {
  const documented = table(PAGE, 'Alerts').map((cells) => cells.slice(0, 4));
  expect(documented).toEqual(
    alerts.map(({ alert = '', expr, labels, for: duration = '' }) => [
      `[${alert}](runbooks.md#${alert.toLowerCase()})`,
      labels?.['severity'],
      duration,
      / > (\d[\d.]*)$/.exec(expr.trim())?.[1] ?? '',
    ]),
  );
});

test('the table of recording rules names each, in the order of the file', () => {
  expect(table(PAGE, 'Recording rules').map(([name]) => name)).toEqual(
    readRules('recording.yml').map(({ record }) => record),
  );
});

test('the alerts that need a capacity say so', () => {
  const needing = alerts.filter(({ expr }) => /instance:ollama_\w+_used:ratio/.test(expr));
  const told = table(PAGE, 'Alerts').filter(([, , , , when]) => /Needs the|the same/.test(when ?? ''));
  expect(told.map(([name]) => /\w+/.exec(name ?? '')?.[0])).toEqual(needing.map(({ alert }) => alert));
});

test('the example for Alertmanager names alerts that there are', () => {
  const [, route = ''] = codeBlocks(section(PAGE, 'Load them'), 'yaml');
  expect(parse(route)).toMatchObject({ route: { group_by: ['instance'] } });
  const named = [...route.matchAll(/alertname = "(\w+)"/g)].map(([, name]) => name);
  expect(named).toHaveLength(1);
  expect(alerts.map(({ alert }) => alert)).toEqual(expect.arrayContaining(named));
});

test("the table of variables names the dashboard's", () => {
  expect(table(PAGE, 'Dashboard').map(([name]) => name)).toEqual(
    readDashboard().templating.list.map(({ name }) => name),
  );
});

test("the dashboard's rows are named in their order", () => {
  const rows = readDashboard().panels.flatMap(({ type, title }) => (type === 'row' ? [title] : []));
  const [, sentence = ''] = /Its rows: (.*?)\. /.exec(PAGE) ?? [];
  expect(sentence.replaceAll(/ \([^)]*\)|and /g, '').split(', ')).toEqual(rows);
});
