/** Renders a status as the table of models: one row per model, with collapsible details. */
import { percent, shownSizes } from './gib.ts';
import { Html, html } from './html.ts';
import { COLUMNS, cellsOf, columnsOf, UNTIL } from './model-columns.ts';
import { timeInWords } from './server-line.ts';
import { classOf, type Sorting, sortableHeadings, sortRows } from './sorting.ts';
import type { ModelStatus, Status } from './status.ts';

/** Number of models from which the filter is shown. */
const MANY_MODELS = 10;

/** More than any server has loaded. Rendering 2,000 takes most of a second, here and in the browser. */
const MAX_ROWS = 200;

/** @param colours the class of each model's name @param search the query of the page */
export function modelTable(
  status: Status,
  models: readonly ModelStatus[],
  colours: ReadonlyMap<string, string>,
  search: string,
): Html {
  const { skipped } = status;
  const sorting = sortingBy(columnsOf(status), search);
  const rows = sortRows(models, sorting)
    .slice(0, MAX_ROWS)
    .map((model) => row(model, status, colours.get(model.model) ?? ''));
  const more = models.length - rows.length;
  return html`<section aria-labelledby="models">
<div class="heading">
<h2 id="models" tabindex="-1">Models</h2>
<p class="quiet">${summaryOf(status)}</p>
<p id="filter"${rows.length >= MANY_MODELS ? new Html(' data-wanted') : ''}><span role="status"></span> <label>Filter <input type="search" autocomplete="off" spellcheck="false"></label></p>
</div>
${rows.length === 0 ? '' : table(rows, sortableHeadings(sorting))}${more === 0 ? '' : html`<p class="note">${more} more ${more === 1 ? 'model is' : 'models are'} not shown. <a href="./api/status${search}">Show all as JSON</a>.</p>\n`}${skipped === 0 ? '' : html`<p class="note">Skipped ${skipped} ${skipped === 1 ? 'entry' : 'entries'} of <code>/api/ps</code>: no name, or no valid size.</p>\n`}</section>
`;
}

/** The order of the table if the query has none. */
export function byName(models: readonly ModelStatus[]): readonly ModelStatus[] {
  return sortRows(models, sortingBy(COLUMNS, ''));
}

function sortingBy(columns: Sorting<ModelStatus>['columns'], search: string): Sorting<ModelStatus> {
  return { columns, query: new URLSearchParams(search), parameter: 'sort' };
}

function summaryOf({ totals: { models, size, size_vram, size_ram } }: Status): string {
  if (models === 0) {
    return 'No model is loaded.';
  }
  const loaded = `${models} loaded, ${shownSizes(size, size_vram, size_ram).size}`;
  return size === 0 || size_vram === null
    ? loaded
    : `${loaded}, ${percent(Math.min(size_vram, size), size)} in VRAM`;
}

/** Roles are explicit: on narrow screens the rows become blocks, which removes their table semantics. */
function table(rows: readonly Html[], headings: readonly Html[]): Html {
  return html`<table role="table" class="models" aria-labelledby="models">
<thead role="rowgroup">
<tr role="row">${headings}</tr>
</thead>
<tbody role="rowgroup">${rows}</tbody>
</table>
<p class="note">Sizes are in GiB. <code>ollama ps</code> shows decimal GB: 1.0 GiB here is 1.1 GB there.</p>
`;
}

/** The script finds a moved row by its key. */
function row(model: ModelStatus, status: Status, colour: string): Html {
  const readAt = status.read_at;
  const { model: name, quantization, expires_in, family, digest } = model;
  const countdown =
    expires_in === null ? '' : html` data-seconds="${expires_in}" title="${expiryOf(expires_in, readAt)}"`;
  const expiry = expires_in === null ? UNTIL.text(model) : expiryOf(expires_in, readAt);
  return html`<tr role="row" data-key="${name} ${quantization}" class="${colour}">
<th scope="row" role="rowheader"><details><summary title="${name}"><bdi>${name}</bdi></summary>
<dl>
<div><dt>Family</dt> <dd>${family || '–'}</dd></div>
<div><dt>Digest</dt> <dd>${digest === '' ? '–' : html`<code title="${digest}">${digest.slice(0, 12)}</code>${copyButton(model)}`}</dd></div>
<div><dt>Expiry</dt> <dd>${expiry}</dd></div>
</dl></details></th>
${cellsOf(status).map((column) => html`<td role="cell"${classOf(column)} data-label="${column.heading}">${column.text(model)}</td>\n`)}<td role="cell"${classOf(UNTIL)} data-label="${UNTIL.heading}"${countdown}>${UNTIL.text(model)}</td>
</tr>`;
}

/** Another text from a server must not get into the clipboard, and so perhaps into a shell. */
const DIGEST = /^(sha256:)?[0-9a-f]{12,64}$/;

function copyButton({ model, digest }: ModelStatus): Html {
  return DIGEST.test(digest)
    ? html` <button type="button" data-copy="${digest}" aria-label="Copy the digest of ${model}">Copy</button>`
    : html``;
}

/** By the clock of the exporter. */
function expiryOf(seconds: number, readAt: string): string {
  const time = new Date(Date.parse(readAt) + seconds * 1_000).toISOString();
  const words = timeInWords(time);
  return seconds < 0 ? `${words}: in the past, so the model is busy or being unloaded` : words;
}
