/** Puts the dashboard together; `grafana/ollama.json` is its JSON, and a test holds the two equal. */
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type RowPanel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './panels.ts';
import { QUERIES } from './queries.ts';
import { exporterRow, memoryRow, nowRow, residencyRow, scrapeRow, statusRow } from './rows.ts';

/** What people write onto the dashboard; every dashboard has this entry. */
const GRAFANAS_OWN_ANNOTATIONS = new AnnotationQueryBuilder()
  .name('Annotations & Alerts')
  .type('dashboard')
  .builtIn(1)
  .datasource({ type: 'grafana', uid: '-- Grafana --' })
  .enable(true)
  .hide(true)
  .iconColor('rgba(0, 211, 255, 1)');

export function buildDashboard(): Dashboard {
  const builder = new DashboardBuilder('Ollama')
    .uid('ollama-overview')
    .description('What sits in the memory of Ollama, by ollama-exporter.')
    .tags(['ollama'])
    .timezone('browser')
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(queryVariable('job', 'Job', QUERIES.jobs))
    .withVariable(queryVariable('instance', 'Instance', QUERIES.instances))
    .withVariable(queryVariable('model', 'Model', QUERIES.models))
    .annotation(GRAFANAS_OWN_ANNOTATIONS)
    .annotation(
      annotation('Alerts', 'red', QUERIES.alertsFiring)
        .titleFormat('{{alertname}}')
        .textFormat('{{instance}} {{model}}'),
    )
    .annotation(
      annotation('Version changes', 'blue', QUERIES.versionChanges)
        .titleFormat('Ollama {{version}}')
        .textFormat('{{instance}}'),
    );
  for (const [title, panels] of Object.entries({
    Status: statusRow(),
    Now: nowRow(),
    Memory: memoryRow(),
    Residency: residencyRow(),
    'Scrape health': scrapeRow(),
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
  return numbered(builder.withRow(collapsed).build());
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
