/** The dashboard as one HTML page: its grid, titles, and the query results in each panel. */
import { readFileSync } from 'node:fs';
import { type DashboardPanel, filledIn, readDashboard, type ShippedDashboard } from '../../test/dashboard.ts';
import type { Prometheus, Series } from '../../test/e2e/prometheus-process.ts';
import { CELL_PX, escaped } from './html.ts';
import { type Chart, chartOf, type QueryResult, type Range, statHtml, timelineHtml } from './panels.ts';
import { tableHtml } from './tables.ts';

export interface Page {
  readonly html: string;
  readonly charts: readonly Chart[];
}

const GAP_PX = 8;

/** @param opened rows to show opened, and nothing else; by default everything as shipped */
export async function pageOf(
  prometheus: Prometheus,
  range: Range,
  caption: string,
  opened?: readonly string[],
): Promise<Page> {
  const dashboard = readDashboard();
  const shown = opened === undefined ? dashboard.panels : openedRows(dashboard.panels, opened);
  const charts: Chart[] = [];
  const panels = await Promise.all(
    shown.map(async (panel) => {
      const content = await contentOf(panel, prometheus, range);
      if (typeof content !== 'string') {
        charts.push(content);
      }
      return panelHtml(
        panel,
        typeof content === 'string' ? content : `<div id="chart-${content.id}" class="chart"></div>`,
      );
    }),
  );
  const height = Math.max(...shown.map(({ gridPos: { y, h } }) => y + h)) * CELL_PX;
  const style = readFileSync(new URL('style.css', import.meta.url), 'utf8');
  const html = `<!doctype html><meta charset="utf-8"><style>${style}</style><body>
    ${header(dashboard, caption)}<main style="height:${height}px">${panels.join('')}</main></body>`;
  return { html, charts };
}

/** Like opened rows in Grafana: their panels are below them. */
function openedRows(panels: readonly DashboardPanel[], titles: readonly string[]): readonly DashboardPanel[] {
  const rows = panels.filter(({ type, title }) => type === 'row' && titles.includes(title));
  const shown: DashboardPanel[] = [];
  let top = 0;
  for (const { panels: inner = [], ...row } of rows) {
    const moved = (y: number) => y - row.gridPos.y + top;
    const below = inner.map((panel) => ({
      ...panel,
      gridPos: { ...panel.gridPos, y: moved(panel.gridPos.y) },
    }));
    shown.push({ ...row, collapsed: false, gridPos: { ...row.gridPos, y: top } }, ...below);
    top = Math.max(...below.map(({ gridPos: { y, h } }) => y + h));
  }
  return shown;
}

function header({ title, templating }: ShippedDashboard, caption: string): string {
  const variables = templating.list.map(({ label, type, query }) => {
    const value = type === 'query' ? 'All' : type === 'datasource' ? 'Prometheus' : query;
    return `<span><em>${escaped(label)}</em>${escaped(value)}</span>`;
  });
  return `<header><h1>${escaped(title)}</h1><p>${escaped(caption)}</p><time>Last 1 hour</time></header>
    <nav>${variables.join('')}</nav>`;
}

function panelHtml(
  { type, title, gridPos: { x, y, w, h }, collapsed, panels = [] }: DashboardPanel,
  content: string,
): string {
  const place = `left:${(x / 24) * 100}%;top:${y * CELL_PX}px;width:calc(${(w / 24) * 100}% - ${GAP_PX}px);height:${h * CELL_PX - GAP_PX}px`;
  if (type === 'row') {
    const count = collapsed ? ` <small>(${panels.length} panels)</small>` : '';
    return `<h2 style="${place}">${collapsed ? '›' : '⌄'} ${escaped(title)}${count}</h2>`;
  }
  return `<section class="${type}" style="${place}"><h3>${escaped(title)}</h3>${content}</section>`;
}

async function contentOf(
  panel: DashboardPanel,
  prometheus: Prometheus,
  range: Range,
): Promise<Chart | string> {
  const results = new Map<string, QueryResult>();
  for (const { refId, expr, instant, legendFormat = '' } of panel.targets ?? []) {
    const series = await runQuery(prometheus, range, expr, instant);
    results.set(refId, { legendFormat, series, isLimit: isLimit(panel, refId) });
  }
  const all = [...results.values()];
  switch (panel.type) {
    case 'stat':
      return statHtml(panel, all);
    case 'table':
      return tableHtml(panel, new Map([...results].map(([refId, { series }]) => [refId, series])));
    case 'state-timeline':
      return timelineHtml(panel, all, range);
    case 'timeseries':
      return chartOf(panel, all, range);
    default:
      return '';
  }
}

/** A query that an override excludes from the stack. */
function isLimit({ fieldConfig }: DashboardPanel, refId: string): boolean {
  return (fieldConfig?.overrides ?? []).some(
    ({ matcher, properties }) =>
      matcher.id === 'byFrameRefID' &&
      matcher.options === refId &&
      properties.some(({ id }) => id === 'custom.stacking'),
  );
}

function runQuery(
  prometheus: Prometheus,
  range: Range,
  expr: string,
  instant = false,
): Promise<readonly Series[]> {
  const { start, end, step } = range;
  const promql = filledIn(expr);
  return instant ? prometheus.query(promql, end) : prometheus.queryRange(promql, start, end, step);
}
