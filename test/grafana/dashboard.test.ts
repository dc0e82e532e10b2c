import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildDashboard } from '../../grafana/dashboard.ts';
import { OPTION_LIST } from '../../src/config/options.ts';
import { annotationQueries, DASHBOARD_FILE, dataPanels, readDashboard } from '../dashboard.ts';
import { ROOT, readPage } from '../markdown.ts';
import { exportedNames } from '../metric-names.ts';
import { metricNames, selectors, withVariables } from '../promql.ts';
import { readRuleGroups, readRules } from '../rule-files.ts';

/** Unit ids of Grafana (packages/grafana-data, valueFormats/categories.ts). */
const UNITS = ['none', 'bytes', 's', 'percent', 'percentunit', 'locale'];

/** Panels and transformations of Grafana 11.6; formatString was experimental before 11. */
const PANELS_OF_MIN_GRAFANA = [
  'stat',
  'table',
  'timeseries',
  'state-timeline',
  'merge',
  'organize',
  'formatString',
];

const dashboard = readDashboard();
const panels = dataPanels(dashboard);
const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ refId, expr }) => ({ query: `${title} ${refId}`, expr: withVariables(expr) })),
);

test('the JSON is generated from its source', async () => {
  await expect(`${JSON.stringify(buildDashboard(), null, 2)}\n`).toMatchFileSnapshot(DASHBOARD_FILE.pathname);
});

describe('the dashboard', () => {
  test('has a fixed uid, no id, and is editable', () => {
    expect(dashboard).toMatchObject({ uid: 'ollama-overview', id: null, editable: true });
  });

  test('declares its minimum Grafana version, and has an older schema that later ones migrate', () => {
    expect(dashboard.__requires.map(({ id }) => id)).toEqual(['grafana', 'prometheus']);
    expect(dashboard.schemaVersion).toBe(39);
    const [, run = ''] = /grafana\/grafana:([\d.]+)/.exec(readPage('compose.yaml')) ?? [];
    for (const { version } of dashboard.__requires) {
      expect(readPage('docs/dashboard.md')).toContain(`Grafana ${version.replace(/\.0$/, '')} or later`);
      expect(run.localeCompare(version, 'en', { numeric: true })).toBe(1);
    }
  });

  test('uses only panels and transformations of the minimum version', () => {
    const used = panels.flatMap(({ type, transformations = [] }) => [
      type,
      ...transformations.map(({ id }) => id),
    ]);
    expect([...new Set(used)].filter((name) => !PANELS_OF_MIN_GRAFANA.includes(name))).toEqual([]);
  });

  test('can be imported by upload and provisioning, since its data source is a variable', () => {
    expect(JSON.stringify(dashboard)).not.toMatch(/__inputs|\$\{DS_/);
    expect(dashboard.templating.list[0]).toMatchObject({
      name: 'datasource',
      type: 'datasource',
      query: 'prometheus',
      label: 'Data source',
    });
    for (const { datasource } of [...panels, ...annotationQueries(dashboard)]) {
      expect(datasource?.uid).toBe('$datasource');
    }
  });

  test.each(['job', 'instance', 'model', 'exporter_job'])(
    'has a variable %s with multiple values and All',
    (name) => {
      const variable = dashboard.templating.list.find((candidate) => candidate.name === name);
      expect(variable).toMatchObject({
        type: 'query',
        datasource: { uid: '$datasource' },
        label: `${name[0]?.toUpperCase()}${name.slice(1)}`.replace('_', ' '),
        multi: true,
        includeAll: true,
        allValue: '.+',
        refresh: 2,
      });
    },
  );

  test('has panels with unique ids that do not overlap', () => {
    const all = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
    // There is no gap below a collapsed row.
    const rows = new Set(
      dashboard.panels.flatMap(({ gridPos: { y, h } }) => [...Array(h).keys()].map((row) => y + row)),
    );
    expect(rows.size).toBe(Math.max(...rows) + 1);
  });

  test.each(['Work', 'Requests', 'Exporter'])(
    'has the row %s collapsed, as few installations have its data',
    (title) => {
      expect(dashboard.panels.find((panel) => panel.title === title)).toMatchObject({
        type: 'row',
        collapsed: true,
      });
    },
  );

  test.each([
    ['Work', '--collector.runners'],
    ['Requests', '--proxy.listen-address'],
  ])('names the required option in each panel of the row %s: %s', (title, option) => {
    const row = dashboard.panels.find((panel) => panel.title === title);
    const texts = row?.panels?.map(({ fieldConfig }) => fieldConfig?.defaults.noValue ?? '');
    expect(texts).toHaveLength(6);
    expect(texts?.filter((text) => !text.includes(option))).toEqual([]);
    expect(OPTION_LIST.map(({ flag }) => `--${flag}`)).toContain(option);
  });
});

test.each(panels)(
  'panel $title has a description, a unit, a text for missing values, and queries',
  (panel) => {
    expect(panel.title).not.toBe('');
    expect(panel.description).toMatch(/^[A-Z].*\.$/);
    expect(UNITS).toContain(panel.fieldConfig?.defaults.unit);
    expect(panel.fieldConfig?.defaults.noValue).toBeTruthy();
    expect(panel.targets?.length).toBeGreaterThan(0);
    expect(panel.targets?.every(({ datasource }) => datasource.uid === '$datasource')).toBe(true);
  },
);

test.each(panels)(
  'overrides of panel $title refer to its fields and queries, with units that Grafana supports',
  (panel) => {
    const columns = (panel.transformations ?? []).flatMap(({ options }) =>
      Object.values(options.renameByName ?? {}),
    );
    const refIds = (panel.targets ?? []).map(({ refId }) => refId);
    for (const { matcher, properties } of panel.fieldConfig?.overrides ?? []) {
      expect(matcher.id === 'byFrameRefID' ? refIds : columns).toContain(matcher.options);
      for (const { value } of properties.filter(({ id }) => id === 'unit')) {
        expect(UNITS).toContain(value);
      }
    }
    for (const { displayName } of panel.options?.sortBy ?? []) {
      expect(columns).toContain(displayName);
    }
  },
);

const tables = panels.filter(({ type }) => type === 'table');

test.each(tables)(
  'table $title merges its queries, with one column per query',
  ({ targets = [], transformations = [] }) => {
    expect(targets.every(({ format, instant }) => format === 'table' && instant)).toBe(true);
    expect(transformations.slice(0, 2).map(({ id }) => id)).toEqual(['merge', 'organize']);
    const { renameByName = {}, excludeByName = {} } = transformations[1]?.options ?? {};
    for (const { refId } of targets) {
      const field = `Value #${refId}`;
      expect(field in renameByName).not.toBe(field in excludeByName);
    }
  },
);

test('the columns of the table of models have the matching queries', () => {
  const { targets = [], transformations } = tables.find(({ title }) => title === 'In memory now') ?? {};
  const renamed = transformations?.[1]?.options.renameByName ?? {};
  const byColumn = Object.fromEntries(targets.map(({ refId, expr }) => [renamed[`Value #${refId}`], expr]));
  expect(Object.keys(byColumn)).toEqual(['Size', 'VRAM', 'GPU', 'Context', 'Context changes', 'Until']);
  expect(byColumn['Size']).not.toContain('vram');
  expect(byColumn['VRAM']).toContain('ollama_model_size_vram_bytes');
  expect(byColumn['GPU']).toContain('100 - round(');
  expect(byColumn['Context changes']).toContain('changes(ollama_model_context_length_tokens');
});

describe('links', () => {
  const overrides = JSON.stringify(panels.map(({ fieldConfig }) => fieldConfig?.overrides));
  const urls = [
    ...dashboard.links.map(({ url }) => url),
    ...[...overrides.matchAll(/"url":"([^"]+)"/g)].map(([, url = '']) => url),
  ];

  test('to the documentation refer to existing headings', () => {
    const documented = urls.flatMap(
      (url) => /blob\/main\/(docs\/\w+\.md)(?:#(.+))?$/.exec(url)?.slice(1) ?? [],
    );
    for (let index = 0; index < documented.length; index += 2) {
      const [page = '', anchor = ''] = documented.slice(index);
      const headings = readPage(page).match(/(?<=^##+ ).*$/gm) ?? [];
      const anchors = headings.map((heading) => heading.toLowerCase().replaceAll(' ', '-'));
      const alerts = readRules('alerts.yml').map(({ alert = '' }) => alert.toLowerCase());
      const wanted = anchor.includes('fields.runbook') ? alerts : anchor === '' ? [] : [anchor];
      expect(anchors).toEqual(expect.arrayContaining(wanted));
    }
    expect(documented.length).toBeGreaterThan(8);
  });

  test('use only variables of the dashboard, fields of the table and macros of Grafana', () => {
    const known = [...dashboard.templating.list.map(({ name }) => name), '__value.raw', '__url_time_range'];
    const named = urls.flatMap((url) => [...url.matchAll(/\$\{([\w.]+)/g)].map(([, name = '']) => name));
    const fields = ['__data.fields.job', '__data.fields.instance', '__data.fields.runbook'];
    expect(named.filter((name) => ![...known, ...fields].includes(name))).toEqual([]);
    for (const { transformations } of tables.filter(({ fieldConfig }) =>
      JSON.stringify(fieldConfig).includes('fields.job'),
    )) {
      const columns = Object.keys(transformations?.[1]?.options.renameByName ?? {});
      expect(columns).toEqual(expect.arrayContaining(['job', 'instance']));
    }
  });

  test('to this dashboard have its uid', () => {
    expect(
      urls.filter((url) => url.startsWith('/d/')).every((url) => url.startsWith(`/d/${dashboard.uid}?`)),
    ).toBe(true);
  });
});

/** Grafana's linter requires `job` and `instance` as selected; exceptions, with reasons. */
function chosen(selector: string): readonly string[] {
  // An alert about an exporter that has disappeared has neither label.
  if (selector.startsWith('ALERTS')) {
    return ['job=~"$job|"', 'instance=~"$instance|"'];
  }
  // With /probe, the process of the exporter has its own job.
  return /^(process_|nodejs_|ollama_exporter_)/.test(selector)
    ? ['job=~"$exporter_job"']
    : ['job=~"$job"', 'instance=~"$instance"'];
}

test.each(queries)('$query filters by the selected variables', ({ expr }) => {
  const found = selectors(expr);
  expect(found.length).toBeGreaterThan(0);
  for (const selector of found) {
    for (const matcher of chosen(selector)) {
      expect(selector).toContain(matcher);
    }
  }
});

test.each(
  panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({ query: `${title} ${refId}`, expr })),
  ),
)('$query uses counters only in rates over $__rate_interval', ({ expr }) => {
  const rates = expr.match(/\brate\(\w+_(total|bucket)\{[^}]*\}\[\$__rate_interval\]/g) ?? [];
  expect(expr.match(/_(total|bucket)\b/g) ?? []).toHaveLength(rates.length);
  expect(expr.match(/\$__rate_interval/g) ?? []).toHaveLength(rates.length);
});

test('no query depends on a recording rule', () => {
  for (const { expr } of queries) {
    expect(metricNames(expr).filter((name) => name.includes(':'))).toEqual([]);
  }
});

const exported = await exportedNames();

describe('queries use only exported metrics:', () => {
  const recorded = readRules('recording.yml').map(({ record = '' }) => record);
  const known = new Set([...exported, ...recorded, 'up', 'ALERTS', 'ALERTS_FOR_STATE']);

  test.each([
    ...queries,
    ...annotationQueries(dashboard).map(({ name, expr }) => ({ query: `annotation ${name}`, expr })),
    ...[...readRules('recording.yml'), ...readRules('alerts.yml')].map(({ alert, record, expr }) => ({
      query: alert ?? record ?? '',
      expr,
    })),
  ])('$query', ({ expr }) => {
    const names = metricNames(expr);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  test('in variables', () => {
    for (const { query } of dashboard.templating.list.filter(({ type }) => type === 'query')) {
      const [, selector = ''] =
        /^(?:label_values\((.*), \w+|query_result\((.*))\)$/.exec(query)?.filter(Boolean) ?? [];
      expect(metricNames(withVariables(selector)).filter((name) => !exported.has(name))).toEqual([]);
    }
  });

  test('in descriptions of alerts', () => {
    for (const { annotations } of readRules('alerts.yml')) {
      const named = annotations?.['description']?.match(/\bollama_\w+/g) ?? [];
      expect(named.filter((name) => !exported.has(name))).toEqual([]);
    }
  });

  test('and use every recording rule, except those for custom queries', () => {
    const [needed = [], forYou = []] = readRuleGroups('recording.yml').map(({ rules }) =>
      rules.map(({ record = '' }) => record),
    );
    const used = new Set(
      [...readRules('alerts.yml').map(({ expr }) => expr), ...queries.map(({ expr }) => expr)].flatMap(
        metricNames,
      ),
    );
    expect(needed.filter((name) => !used.has(name))).toEqual([]);
    expect(forYou.filter((name) => used.has(name))).toEqual([]);
  });
});

const pictures = ['dashboard', 'dashboard-work'].flatMap((name) => [`${name}.png`, `${name}-dark.png`]);

test.each(pictures)('docs/%s is small enough for a README', (name) => {
  const picture = readFileSync(new URL(`docs/${name}`, ROOT));
  expect(picture.subarray(1, 4).toString()).toBe('PNG');
  expect(picture.length).toBeLessThan(300_000);
});
