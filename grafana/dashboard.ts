/** Puts the dashboard together; `grafana/ollama.json` is its JSON, and a test holds the two equal. */
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
import { ALERTING, DASHBOARD_UID, RUNBOOKS } from './links.ts';
import { DATASOURCE } from './panels.ts';
import { QUERIES } from './queries.ts';
import { modelRow, problemRow, serverRow } from './rows.ts';
import { exporterRow, scrapeRow } from './scrape-rows.ts';

/** The least version of Grafana, and the schema of its first releases; later ones migrate it when they load it. */
const LEAST_GRAFANA = '11.6.0';
const SCHEMA_VERSION = 39;

/** What people write onto the dashboard; every dashboard has this entry. */
const GRAFANAS_OWN_ANNOTATIONS = new AnnotationQueryBuilder()
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
    .link(link('About this dashboard', ALERTING))
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
    .annotation(GRAFANAS_OWN_ANNOTATIONS)
    .annotation(annotation('Alerts', 'red', QUERIES.annotationAlerts).titleFormat('{{alertname}}'))
    .annotation(
      annotation('Version changes', 'blue', QUERIES.annotationVersions).titleFormat('Ollama {{version}}'),
    );
  for (const [title, panels] of Object.entries({
    'Is anything wrong?': problemRow(),
    Servers: serverRow(),
    Models: modelRow(),
    Scrapes: scrapeRow(),
  })) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) {
      builder.withPanel(panel);
    }
  }
  const collapsed = new RowBuilder('Exporter').collapsed(true);
  for (const panel of exporterRow()) {
    collapsed.withPanel(panel);
  }
  return {
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: LEAST_GRAFANA },
      { type: 'datasource', id: 'prometheus', name: 'Prometheus', version: LEAST_GRAFANA },
    ],
    ...numbered(builder.withRow(collapsed).build()),
    schemaVersion: SCHEMA_VERSION,
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

/** Grafana wants an id for each panel, and the builders give none. */
function numbered(dashboard: Dashboard): Dashboard {
  let last = 0;
  const nextId = () => {
    last += 1;
    return last;
  };
  const panels = dashboard.panels?.map((panel): Panel | RowPanel =>
    'panels' in panel
      ? { ...panel, id: nextId(), panels: panel.panels.map((inner) => ({ ...inner, id: nextId() })) }
      : { ...panel, id: nextId() },
  );
  return { ...dashboard, id: null, ...(panels && { panels }) };
}
