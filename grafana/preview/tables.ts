/** The dashboard's tables as HTML: queries merged by their labels, columns as organized by the panel. */
import type { DashboardPanel, FieldConfig } from '../../test/dashboard.ts';
import type { Series } from '../../test/e2e/prometheus-process.ts';
import { show } from './fields.ts';
import { CELL_PX, color, escaped } from './html.ts';

type Cell = number | string;

const ROW_PX = 32;
/** The height of a panel's title, borders and the gap below it. */
const CHROME_PX = 48;

type Row = Readonly<Record<string, Cell>>;

interface Column {
  readonly field: string;
  readonly title: string;
  readonly config: FieldConfig;
  readonly gauge: boolean;
  readonly colored: boolean;
  readonly linked: boolean;
  readonly width: number | undefined;
}

/** @param results by refId */
export function tableHtml(panel: DashboardPanel, results: ReadonlyMap<string, readonly Series[]>): string {
  const columns = columnsOf(panel);
  const rows = sorted(merged(results), panel, columns);
  if (rows.length === 0) {
    return `<p class="nothing">${escaped(panel.fieldConfig?.defaults.noValue ?? '')}</p>`;
  }
  const head = columns
    .map(
      ({ title, width }) =>
        `<th${width === undefined ? '' : ` style="width:${width}px"`}>${escaped(title)}</th>`,
    )
    .join('');
  const body = rows.map(
    (row) => `<tr>${columns.map((column) => cellHtml(column, row[column.field])).join('')}</tr>`,
  );
  const height = Math.floor((panel.gridPos.h * CELL_PX - CHROME_PX) / ROW_PX) * ROW_PX;
  return `<div style="height:${height}px;overflow:hidden"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

/** Like Grafana's merge: rows with the same values in the fields that all queries share are one. */
function merged(results: ReadonlyMap<string, readonly Series[]>): readonly Row[] {
  const filled = [...results].filter(([, series]) => series.length > 0);
  const labelsOf = (series: readonly Series[]) =>
    new Set(series.flatMap(({ labels }) => Object.keys(labels)));
  const [first = new Set<string>(), ...rest] = filled.map(([, series]) => labelsOf(series));
  const shared = [...first].filter((label) => rest.every((labels) => labels.has(label)));
  const rows = new Map<string, Row>();
  for (const [refId, series] of filled) {
    for (const { labels, samples } of series) {
      const key = JSON.stringify(shared.map((label) => labels[label] ?? ''));
      rows.set(key, { ...rows.get(key), ...labels, [`Value #${refId}`]: samples.at(-1)?.[1] ?? Number.NaN });
    }
  }
  return [...rows.values()];
}

function columnsOf({ transformations = [], fieldConfig }: DashboardPanel): readonly Column[] {
  const renamed = transformations.find(({ id }) => id === 'organize')?.options.renameByName ?? {};
  return Object.entries(renamed).flatMap(([field, title]) => {
    const properties = new Map(
      fieldConfig?.overrides
        .filter(({ matcher }) => matcher.options === title)
        .flatMap(({ properties }) => properties.map(({ id, value }) => [id, value] as const)),
    );
    const cell = properties.get('custom.cellOptions');
    const type = typeof cell === 'object' && cell !== null && 'type' in cell ? cell.type : undefined;
    const width = properties.get('custom.width');
    const column: Column = {
      field,
      title,
      config: { ...fieldConfig?.defaults, ...Object.fromEntries(properties) },
      gauge: type === 'gauge',
      colored: type === 'color-text',
      linked: properties.has('links'),
      width: typeof width === 'number' ? width : undefined,
    };
    return properties.get('custom.hidden') === true ? [] : [column];
  });
}

/** By the panel's own order, then by the first column; rows without a value are last. */
function sorted(rows: readonly Row[], panel: DashboardPanel, columns: readonly Column[]): readonly Row[] {
  const orders = (panel.options?.sortBy ?? []).map(({ displayName, desc = false }) => ({
    field: columns.find(({ title }) => title === displayName)?.field ?? '',
    direction: desc ? -1 : 1,
  }));
  orders.push({ field: columns[0]?.field ?? '', direction: 1 });
  return rows.toSorted((a, b) =>
    orders.reduce((found, { field, direction }) => found || compared(a[field], b[field], direction), 0),
  );
}

function compared(a: Cell | undefined, b: Cell | undefined, direction: number): number {
  if (a === undefined || b === undefined) {
    return Number(a === undefined) - Number(b === undefined);
  }
  return (
    direction * (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)))
  );
}

function cellHtml({ config, gauge, colored, linked }: Column, value: Cell | undefined): string {
  const shown = value === undefined ? { text: config.noValue ?? '', color: undefined } : show(value, config);
  const text = linked ? `<a>${escaped(shown.text)}</a>` : escaped(shown.text);
  if (gauge && typeof value === 'number') {
    const share = Math.min((value - (config.min ?? 0)) / ((config.max ?? 1) - (config.min ?? 0)), 1);
    const style = `width:${(share * 100).toFixed(1)}%;background:${color(shown.color)}`;
    return `<td class="gauge"><div class="bar"><i style="${style}"></i></div><b style="color:${color(shown.color)}">${text}</b></td>`;
  }
  return colored && shown.color !== undefined
    ? `<td style="color:${color(shown.color)}">${text}</td>`
    : `<td class="${value === undefined ? 'absent' : ''}">${text}</td>`;
}
