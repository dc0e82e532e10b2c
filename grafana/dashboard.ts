/** Builds the dashboard; `grafana/ollama.json` is its JSON, which a test compares. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type RowPanel,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { ABOUT, DASHBOARD_UID, RUNBOOKS } from './links.ts';
import { DATASOURCE } from './panels.ts';
import { QUERIES } from './queries.ts';
import { modelRow, problemRow, serverRow } from './rows.ts';
import { exporterRow, scrapeRow } from './scrape-rows.ts';
import { requestRow, workRow } from './work-rows.ts';

/** The minimum version of Grafana, and the schema of its first releases; later ones migrate it on load. */
const MIN_GRAFANA = '11.6.0';
const SCHEMA_VERSION = 39;

/** Grafana's built-in annotations, which every dashboard has. */
const BUILT_IN_ANNOTATIONS = new AnnotationQueryBuilder()
  .name('Annotations & Alerts')
  .type('dashboard')
  .builtIn(1)
  .datasource({ type: 'grafana', uid: '-- Grafana --' })
  .enable(true)
  .hide(true)
  .iconColor('rgba(0, 211, 255, 1)');

export function buildDashboard() {
  const builder = new DashboardBuilder('Ollama')
    .uid(DASHBOARD_UID)
    .description(
      'Ollama servers as ollama-exporter sees them: which are down or full, which models are loaded, and where.',
    )
    .tags(['ollama'])
    .timezone('browser')
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .link(link('Runbooks', RUNBOOKS))
    .link(link('About this dashboard', ABOUT))
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(queryVariable('job', 'Job', QUERIES.jobs))
    .withVariable(queryVariable('instance', 'Instance', QUERIES.instances))
    .withVariable(queryVariable('model', 'Model', QUERIES.models).regex('/model="([^"]+)"/'))
    .withVariable(queryVariable('exporter_job', 'Exporter job', QUERIES.exporterJobs))
    .withVariable(
      new TextBoxVariableBuilder('exporter_page')
        .label('Exporter page')
        .description('What comes before the instance in links to the page of the exporter.')
        .defaultValue('http://'),
    )
    .annotation(BUILT_IN_ANNOTATIONS)
    .annotation(annotation('Alerts', 'red', QUERIES.annotationAlerts).titleFormat('{{alertname}}'))
    .annotation(
      annotation('Version changes', 'blue', QUERIES.annotationVersions).titleFormat('Ollama {{version}}'),
    );
  for (const row of [
    opened('Is anything wrong?', problemRow()),
    opened('Servers', serverRow()),
    opened('Models', modelRow()),
    // Most installations have neither: collapsed rows send no queries.
    closed('Work', workRow()),
    closed('Requests', requestRow()),
    opened('Scrapes', scrapeRow()),
    closed('Exporter', exporterRow()),
  ]) {
    row(builder);
  }
  return {
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: MIN_GRAFANA },
      { type: 'datasource', id: 'prometheus', name: 'Prometheus', version: MIN_GRAFANA },
    ],
    ...numbered(builder.build()),
    schemaVersion: SCHEMA_VERSION,
  };
}

type Panels = ReadonlyArray<Builder<Panel>>;

/** A row whose panels are below it. */
function opened(title: string, panels: Panels) {
  return (builder: DashboardBuilder) => {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) {
      builder.withPanel(panel);
    }
  };
}

/** A row whose panels are shown when it is opened. */
function closed(title: string, panels: Panels) {
  return (builder: DashboardBuilder) => {
    const row = new RowBuilder(title).collapsed(true);
    for (const panel of panels) {
      row.withPanel(panel);
    }
    builder.withRow(row);
  };
}

function link(title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .icon('external link')
    .url(url)
    .targetBlank(true);
}

function queryVariable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ text: 'All', value: '$__all', selected: true })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

function annotation(name: string, color: string, expr: string): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .step('60s');
}

/** Grafana requires an id for each panel, and no gap below a collapsed row; the builders provide neither. */
function numbered(dashboard: Dashboard): Dashboard {
  let last = 0;
  let hidden = 0;
  const placed = (panel: Panel | RowPanel) => {
    last += 1;
    const y = (panel.gridPos?.y ?? 0) - hidden;
    return { id: last, ...(panel.gridPos && { gridPos: { ...panel.gridPos, y } }) };
  };
  const panels = dashboard.panels?.map((panel): Panel | RowPanel => {
    if (!('panels' in panel)) {
      return { ...panel, ...placed(panel) };
    }
    const row = { ...panel, ...placed(panel) };
    const inner = panel.panels.map((one) => ({ ...one, ...placed(one) }));
    const ends = inner.map(({ gridPos }) => (gridPos ? gridPos.y + gridPos.h : 0));
    hidden += Math.max(0, ...ends) - (inner.length > 0 ? (row.gridPos?.y ?? 0) + 1 : 0);
    return { ...row, panels: inner };
  });
  return { ...dashboard, id: null, ...(panels && { panels }) };
}
