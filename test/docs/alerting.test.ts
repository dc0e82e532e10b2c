import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readDashboard } from '../dashboard.ts';
import { codeBlocks, readPage, section, table } from '../markdown.ts';
import { readRules } from '../rule-files.ts';

const PAGE = readPage('docs/alerting.md');
const DASHBOARD_PAGE = readPage('docs/dashboard.md');
const alerts = readRules('alerts.yml');

test('the table of alerts lists each runbook, severity, duration and threshold, in file order', () => {
  const documented = table(PAGE, 'Alerts').map((cells) => cells.slice(0, 4));
  expect(documented).toEqual(
    alerts.map(({ alert = '', expr, labels, for: duration = '' }) => [
      `[${alert}](runbooks.md#${alert.toLowerCase()})`,
      labels?.['severity'],
      duration,
      thresholdOf(expr),
    ]),
  );
});

/** The last number that the expression compares with, unless it only checks for existence. */
function thresholdOf(expr: string): string {
  const compared = [...expr.matchAll(/ > (\d[\d.]*)/g)].map(([, number = '']) => number);
  return compared.findLast((number) => number !== '0') ?? '';
}

test('the table of recording rules lists each rule, in file order', () => {
  expect(table(PAGE, 'Recording rules').map(([name]) => name)).toEqual(
    readRules('recording.yml').map(({ record }) => record),
  );
});

test('alerts that need a capacity are documented as such', () => {
  const expected = alerts.filter(({ expr }) => /instance:ollama_\w+_used:ratio/.test(expr));
  const documented = table(PAGE, 'Alerts').filter(([, , , , when]) =>
    /Requires the \[?capacity/.test(when ?? ''),
  );
  expect(documented.map(([name]) => /\w+/.exec(name ?? '')?.[0])).toEqual(expected.map(({ alert }) => alert));
});

test('the Alertmanager example refers to existing alerts and receivers', () => {
  const { route, inhibit_rules, receivers } = parse(readPage('prometheus/alertmanager.yml'));
  const names = alerts.map(({ alert = '' }) => alert);
  const matchers: readonly string[] = [...route.routes, ...inhibit_rules].flatMap(
    ({ matchers = [], source_matchers = [], target_matchers = [] }) => [
      ...matchers,
      ...source_matchers,
      ...target_matchers,
    ],
  );
  const patterns = matchers.flatMap((matcher) => /^alertname =~? "(.+)"$/.exec(matcher)?.[1] ?? []);
  expect(patterns).toHaveLength(11);
  for (const pattern of patterns.flatMap((whole) => (whole.includes('(') ? [whole] : whole.split('|')))) {
    expect(
      names.some((name) => new RegExp(`^(${pattern})$`).test(name)),
      pattern,
    ).toBe(true);
  }
  const known = receivers.map(({ name }: { readonly name: string }) => name);
  const used = [route, ...route.routes].flatMap(({ receiver = [] }) => receiver);
  expect([...new Set(used)]).toEqual(known);
});

test('the sub-route on the page groups alerts as in the example', () => {
  const [yaml = ''] = codeBlocks(section(PAGE, 'Alertmanager'), 'yaml');
  const [sub] = parse(yaml).route.routes;
  const { route } = parse(readPage('prometheus/alertmanager.yml'));
  expect(route).toMatchObject({ group_by: sub.group_by, group_wait: sub.group_wait, receiver: sub.receiver });
});

test('the table of variables lists the variables of the dashboard', () => {
  expect(table(DASHBOARD_PAGE, 'Variables').map(([name]) => name)).toEqual(
    readDashboard().templating.list.map(({ name }) => name),
  );
});

test('the rows of the dashboard are listed in order', () => {
  const rows = readDashboard().panels.flatMap(({ type, title }) => (type === 'row' ? [title] : []));
  const [overview = ''] = section(DASHBOARD_PAGE, 'Rows').split('<picture>');
  const named = [...overview.matchAll(/^\| (.*?)(?: \(collapsed\))? \|/gm)].map(([, name]) => name);
  expect(named).toEqual(['row', ...rows]);
});
