/** Turns a status into the table of `ollama ps`. */
import { Html, html } from './html.ts';
import { humanBytes } from './ps-words.ts';
import type { ModelStatus, Status } from './status.ts';

const HEADINGS: ReadonlyArray<readonly [name: string, isNumber: boolean]> = [
  ['Model', false],
  ['Quantization', false],
  ['Parameters', false],
  ['Size', true],
  ['Processor', false],
  ['Context', true],
  ['Until', false],
  ['Family', false],
  ['Digest', false],
];

/** From here on a box to filter by is of more use than in the way. */
const MANY_MODELS = 10;

/** Roles are spelt out: on narrow screens the rows become blocks, which would take them from the table. */
export function modelTable({ models }: Status): Html {
  const rows = models ?? [];
  return html`<h2 id="models" tabindex="-1">Models</h2>
<p id="filter"${rows.length >= MANY_MODELS ? new Html(' data-wanted') : ''}><label>Filter <input type="search" autocomplete="off" spellcheck="false"></label> <span role="status"></span></p>
<div>${rows.length === 0 ? html`<p>${models === null ? 'The list of models is not available.' : 'No model is in memory.'}</p>` : table(rows)}
</div>
`;
}

function table(models: readonly ModelStatus[]): Html {
  return html`<table role="table" aria-labelledby="models">
<thead role="rowgroup">
<tr role="row">${HEADINGS.map(([name, isNumber]) => html`<th scope="col" role="columnheader"${isNumber ? new Html(' class="number"') : ''}>${name}</th>`)}</tr>
</thead>
<tbody role="rowgroup">
${models.map(row)}</tbody>
</table>`;
}

function row(model: ModelStatus): Html {
  const { quantization, parameter_size, size, processor, context_length, until, expires_in, family, digest } =
    model;
  const countdown = expires_in === null ? html`` : html` data-seconds="${expires_in}"`;
  return html`<tr role="row">
<th scope="row" role="rowheader">${model.model}</th>
${cell('Quantization', html`${quantization}`)}${cell('Parameters', html`${parameter_size}`)}${cell('Size', html`${humanBytes(size)}`, 'number')}${cell('Processor', html`${processor}`)}${cell('Context', html`${context_length ?? '–'}`, 'number')}<td role="cell" data-label="Until"${countdown}>${until}</td>
${cell('Family', html`${family}`)}${cell('Digest', html`<code title="${digest}">${digest.slice(0, 12)}</code>${copyButton(model)}`)}</tr>
`;
}

/** What else a server gives as a digest should not get into a clipboard, and so perhaps into a shell. */
const DIGEST = /^(sha256:)?[0-9a-f]{12,64}$/;

function copyButton({ model, digest }: ModelStatus): Html {
  return DIGEST.test(digest)
    ? html` <button type="button" data-copy="${digest}" aria-label="Copy the digest of ${model}">Copy</button>`
    : html``;
}

function cell(label: string, content: Html, kind?: 'number'): Html {
  return html`<td role="cell" data-label="${label}"${kind === undefined ? '' : new Html(` class="${kind}"`)}>${content}</td>
`;
}
