import { describe, expect, test } from 'vitest';
import { buildDashboard } from '../../grafana/dashboard.ts';
import { FAMILIES } from '../../src/metrics/families.ts';
import { annotationQueries, DASHBOARD_FILE, dataPanels, readDashboard } from '../dashboard.ts';
import { ownMetrics } from '../own-metrics.ts';
import { metricNames, selectors, withVariables } from '../promql.ts';
import { readRules } from '../rule-files.ts';

/** Ids that Grafana knows (packages/grafana-data, valueFormats/categories.ts). */
const UNITS = ['none', 'bytes', 's', 'percent', 'percentunit', 'locale'];

const dashboard = readDashboard();
const panels = dataPanels(dashboard);
const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ refId, expr }) => ({ query: `${title} ${refId}`, expr: withVariables(expr) })),
);

test('the JSON is what its source builds', async () => {
  await expect(`${JSON.stringify(buildDashboard(), null, 2)}\n`).toMatchFileSnapshot(DASHBOARD_FILE.pathname);
});

describe('the dashboard', () => {
  test('has a fixed uid, no id, and can not be edited in place', () => {
    expect(dashboard).toMatchObject({ uid: 'ollama-overview', id: null, editable: false });
  });

  test('imports by upload and by provisioning alike: its data source is a variable, not an input', () => {
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

  test.each(['job', 'instance', 'model'])(
    'has a variable %s of which one, several or all can be chosen',
    (name) => {
      const variable = dashboard.templating.list.find((candidate) => candidate.name === name);
      expect(variable).toMatchObject({
        type: 'query',
        datasource: { uid: '$datasource' },
        label: `${name[0]?.toUpperCase()}${name.slice(1)}`,
        multi: true,
        includeAll: true,
        allValue: '.+',
        refresh: 2,
      });
    },
  );

  test('has panels with ids of their own, that do not overlap', () => {
    const all = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });

  test('keeps the exporter’s own process out of sight until asked for', () => {
    expect(dashboard.panels.find(({ title }) => title === 'Exporter')).toMatchObject({
      type: 'row',
      collapsed: true,
    });
  });
});

test.each(panels)('panel $title has a description, a unit, a text for no data, and queries', (panel) => {
  expect(panel.title).not.toBe('');
  expect(panel.description).toMatch(/^[A-Z].*\.$/);
  expect(UNITS).toContain(panel.fieldConfig?.defaults.unit);
  expect(panel.fieldConfig?.defaults.noValue).toBeTruthy();
  expect(panel.targets?.length).toBeGreaterThan(0);
  expect(panel.targets?.every(({ datasource }) => datasource.uid === '$datasource')).toBe(true);
});

test.each(panels)(
  'overrides of panel $title are of fields and queries that it has, in units that Grafana knows',
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

test('the table joins its queries to one row a model, with a column for each', () => {
  const table = panels.find(({ type }) => type === 'table');
  expect(table?.targets?.every(({ format, instant }) => format === 'table' && instant)).toBe(true);
  expect(table?.transformations?.map(({ id }) => id)).toEqual(['merge', 'organize']);
  const renamed = table?.transformations?.[1]?.options.renameByName ?? {};
  const column = (refId: string) => renamed[`Value #${refId}`];
  const byColumn = Object.fromEntries((table?.targets ?? []).map(({ refId, expr }) => [column(refId), expr]));
  expect(Object.keys(byColumn)).toEqual(['Size', 'VRAM', 'GPU', 'CPU', 'Context', 'Until']);
  expect(byColumn['Size']).toMatch(/\(ollama_model_size_bytes\{[^}]*\}\)$/);
  expect(byColumn['VRAM']).toMatch(/\(ollama_model_size_vram_bytes\{[^}]*\}\)$/);
  expect(byColumn['GPU']).toContain('100 - round(');
  expect(byColumn['CPU']).not.toContain('100 -');
});

test.each(queries)('$query selects job and instance everywhere', ({ expr }) => {
  const found = selectors(expr);
  expect(found.length).toBeGreaterThan(0);
  for (const selector of found) {
    expect(selector).toContain('job=~"$job"');
    expect(selector).toContain('instance=~"$instance"');
  }
});

test.each(
  panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({ query: `${title} ${refId}`, expr })),
  ),
)(
  '$query takes counters as rates, over the interval that Grafana chooses, and nothing else over one',
  ({ expr }) => {
    const rates = expr.match(/\b(rate|irate|increase)\(\w+_total\{[^}]*\}\[\$__rate_interval\]\)/g) ?? [];
    expect(expr.match(/_total\b/g) ?? []).toHaveLength(rates.length);
    expect(expr.match(/\[/g) ?? []).toHaveLength(rates.length);
  },
);

const own = await ownMetrics();

describe('every metric that is named is one that is exported:', () => {
  const recorded = readRules('recording.yml').map(({ record = '' }) => record);
  const exported = new Set([...FAMILIES, ...own].map(({ name }) => name));
  const known = new Set([...exported, ...recorded, 'up', 'ALERTS']);

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

  test('variables', () => {
    for (const { query } of dashboard.templating.list.filter(({ type }) => type === 'query')) {
      const [, selector = ''] = /^label_values\((.*), \w+\)$/.exec(query) ?? [];
      expect(metricNames(selector).filter((name) => !exported.has(name))).toEqual([]);
    }
  });

  test('descriptions of alerts', () => {
    for (const { annotations } of readRules('alerts.yml')) {
      const named = annotations?.['description']?.match(/\bollama_\w+/g) ?? [];
      expect(named.filter((name) => !exported.has(name))).toEqual([]);
    }
  });

  test('and every recorded one is used', () => {
    const used = new Set(
      [...readRules('alerts.yml').map(({ expr }) => expr), ...queries.map(({ expr }) => expr)].flatMap(
        metricNames,
      ),
    );
    expect(recorded.filter((name) => !used.has(name))).toEqual([]);
  });
});
