/** Renders the targets of a fleet as a table, sorted and filtered by the query of the page. */
import type { FleetRow } from './fleet.ts';
import { type Html, html } from './html.ts';
import { STATES } from './server-line.ts';
import { type Column, classOf, sortableHeadings, sortRows } from './sorting.ts';

/** More rows are useless for a reader, and cost the exporter milliseconds at each refresh. */
const MAX_ROWS = 1_000;

interface FleetColumn extends Column<FleetRow> {
  readonly text: (row: FleetRow) => string;
}

const COLUMNS: readonly [FleetColumn, ...FleetColumn[]] = [
  { key: 'server', heading: 'Server', text: nameOf, value: nameOf },
  { key: 'module', heading: 'Module', text: ({ module }) => module, value: ({ module }) => module },
  { key: 'state', heading: 'State', text: stateOf, value: severityOf },
  { key: 'version', heading: 'Version', text: (row) => row.version ?? '–', value: (row) => row.version },
  number('models', 'Models', ({ loaded_models }) => loaded_models, String),
  number(
    'vram',
    'VRAM',
    ({ size_vram }) => size_vram,
    (bytes) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`,
  ),
  number(
    'share',
    'VRAM share',
    ({ vram_share }) => vram_share,
    (share) => `${Math.round(share * 100)}%`,
  ),
  number('spilled', 'Spilled', ({ spilled_models }) => spilled_models, String),
  number(
    'age',
    'Age',
    ({ age_seconds }) => age_seconds,
    (seconds) => `${Math.round(seconds)} s`,
  ),
];

function number(
  key: string,
  heading: string,
  value: (row: FleetRow) => number | null,
  text: (value: number) => string,
): FleetColumn {
  const textOf = (row: FleetRow) => {
    const known = value(row);
    return known === null ? '–' : text(known);
  };
  return { key, heading, kind: 'number', value, text: textOf };
}

/** @param query of the page: `fleet-sort`, `fleet-filter` */
export function fleetTable(rows: readonly FleetRow[], query: URLSearchParams): Html {
  const wanted = (query.get('fleet-filter') ?? '').trim().toLowerCase();
  const found = rows.filter((row) =>
    COLUMNS.some(({ text, kind }) => kind !== 'number' && text(row).toLowerCase().includes(wanted)),
  );
  const sorting = { query, parameter: 'fleet-sort', columns: COLUMNS };
  const shown = sortRows(found, sorting).slice(0, MAX_ROWS);
  return html`<section aria-labelledby="fleet">
<h2 id="fleet">Fleet</h2>
<p>${summary(rows)}</p>
${rows.length === 0 ? '' : filterForm(query)}${shown.length < rows.length ? html`<p>${shown.length} of ${rows.length} shown.</p>\n` : ''}${shown.length === 0 ? '' : table(shown, sortableHeadings(sorting))}</section>
`;
}

function summary(rows: readonly FleetRow[]): string {
  if (rows.length === 0) {
    return 'No server was probed in the last 10 minutes.';
  }
  const counts = (['up', 'partial', 'down'] as const)
    .map((state) => [state, rows.filter((row) => row.state === state).length] as const)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${STATES[state].toLowerCase()}`);
  return `Probed in the last 10 minutes: ${counts.join(', ')}.`;
}

function filterForm(query: URLSearchParams): Html {
  const sort = query.get('fleet-sort');
  return html`<form action="./" method="get">
<label>Filter <input type="search" name="fleet-filter" autocomplete="off" spellcheck="false" value="${query.get('fleet-filter') ?? ''}"></label>
${sort === null ? '' : html`<input type="hidden" name="fleet-sort" value="${sort}">\n`}<button>Filter</button>
</form>
`;
}

function table(rows: readonly FleetRow[], headings: readonly Html[]): Html {
  return html`<table role="table" aria-labelledby="fleet">
<thead role="rowgroup">
<tr role="row">${headings}</tr>
</thead>
<tbody role="rowgroup">
${rows.map(tableRow)}</tbody>
</table>
`;
}

function tableRow(row: FleetRow): Html {
  const [, ...others] = COLUMNS;
  const link = `./?${new URLSearchParams({ target: row.target, module: row.module })}`;
  const cells = others.map(
    (column) =>
      html`<td role="cell" data-label="${column.heading}"${classOf(column)}>${column.text(row)}</td>`,
  );
  return html`<tr role="row"><th scope="row" role="rowheader"><a href="${link}">${nameOf(row)}</a></th>${cells}</tr>
`;
}

/** `gpu-07:11434`, `https://gpu-07/prefix` */
function nameOf({ target }: FleetRow): string {
  return target.replace(/^http:\/\//, '').replace(/\/$/, '');
}

/** The worst state first, grouped by reason. */
function severityOf(row: FleetRow): string {
  return `${['down', 'partial', 'up'].indexOf(row.state)} ${row.reason}`;
}

function stateOf({ state, reason }: FleetRow): string {
  const word = STATES[state];
  return reason === null ? word : `${word}: ${reason}`;
}
