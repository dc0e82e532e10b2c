/** Turns a status into the page at `/`: complete without JavaScript, refreshed with it. */

import type { PageAssets } from './assets.ts';
import { bar } from './bar.ts';
import { Html, html } from './html.ts';
import { modelTable } from './model-table.ts';
import { humanBytes } from './ps-words.ts';
import { type Problem, ramOf, type Status } from './status.ts';

/** What the page shows besides the status. */
export interface PageFrame {
  /** Of the exporter. */
  readonly version: string;
  readonly telemetryPath: string;
  /** The query of the page, with its question mark. */
  readonly search: string;
  /** The names of modules by which /probe may ask; empty where it is closed. */
  readonly openModules: readonly string[];
}

/** JavaScript refreshes what is in `main`. */
export function statusPage(status: Status, frame: PageFrame, { style, script }: PageAssets): string {
  return document(frame, style, script, status.simulated, [
    html`<main>
<section aria-labelledby="server">
${serverSection(status)}</section>
<section aria-labelledby="memory">
${memorySection(status)}</section>
<section aria-labelledby="models">
${modelTable(status)}</section>
</main>
`,
    targetForm(status, frame),
  ]).text;
}

/** @param message what is wrong with what was asked for */
export function refusalPage(message: string, frame: PageFrame, { style }: PageAssets): string {
  return document(frame, style, '', false, [
    html`<main>
<p class="state down"><strong>Not asked</strong> ${message}</p>
<p><a href="./">Back to the Ollama of this exporter</a></p>
</main>
`,
  ]).text;
}

function document(
  { version, telemetryPath, search }: PageFrame,
  style: string,
  script: string,
  simulated: boolean,
  content: readonly Html[],
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ollama Exporter</title>
<link rel="icon" href="data:,">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#models">Skip to the models</a>
${simulated ? html`<p class="band">This is a simulation: no real Ollama is asked.</p>\n` : ''}<header>
<h1>Ollama Exporter</h1>
</header>
<p id="connection" class="band" role="status" hidden></p>
${content}<nav aria-label="Other pages">
<ul>
<li><a href=".${telemetryPath}">Metrics</a></li>
<li><a href="./api/status${search}">This page as JSON</a></li>
<li><a href="./config">Configuration</a></li>
<li><a href="./-/healthy">Health</a></li>
<li><a href="./-/ready">Readiness</a></li>
<li><a href="https://github.com/ollama-exporter/ollama-exporter">Project</a></li>
</ul>
</nav>
<footer class="quiet">ollama-exporter ${version}</footer>
${script === '' ? '' : html`<script type="module">${new Html(script)}</script>\n`}</body>
</html>
`;
}

const STATES: Readonly<Record<Status['state'], string>> = {
  up: 'Up',
  partial: 'Up, but not all of it answers',
  down: 'Down',
};

function serverSection(status: Status): Html {
  const { target, module, state, version, read_at, seconds, problems } = status;
  return html`<h2 id="server">Server <code>${target}</code></h2>
<p class="state ${state}" role="status"><strong>${STATES[state]}</strong> ${version === null ? '' : `Ollama ${version}`}</p>
<p class="quiet">Read at <time datetime="${read_at}">${read_at.replace('T', ' ').replace(/\..*/, ' UTC')}</time>, in ${inWords(seconds)}${module === 'default' ? '' : `, by module ${module}`}.</p>
${problemsOf(problems)}`;
}

/** Calls that fail in the same way are one problem. */
function problemsOf(problems: Status['problems']): readonly Html[] {
  const isSame = (a: Problem, b: Problem) => a.reason === b.reason && a.message === b.message;
  return problems
    .filter((problem, index) => problems.findIndex((other) => isSame(other, problem)) === index)
    .map((problem) => {
      const apis = problems.filter((other) => isSame(other, problem)).map(({ api }) => `/api/${api}`);
      return html`<p><strong>${apis.join(' and ')} failed: ${problem.reason}</strong> (${problem.message}). ${problem.remedy}</p>
`;
    });
}

function inWords(seconds: number): string {
  return seconds < 1 ? `${Math.max(1, Math.round(seconds * 1_000))} ms` : `${seconds.toFixed(1)} s`;
}

function memorySection({ models, totals, vram_capacity, memory_capacity, skipped }: Status): Html {
  if (models === null) {
    return html`<h2 id="memory">Memory</h2>
<p>What sits in memory is not known: the list of models is not available.</p>
`;
  }
  const { size, size_vram, size_ram } = totals;
  const bytes = (number: number | null) => (number === null ? '–' : humanBytes(number));
  const gpu =
    size === 0 || size_vram === null ? '–' : `${Math.round((Math.min(size_vram, size) / size) * 100)}%`;
  return html`<h2 id="memory">Memory</h2>
<dl class="totals">
<div><dt>Models</dt><dd>${totals.models}</dd></div>
<div><dt>Size</dt><dd>${humanBytes(size)}</dd></div>
<div><dt>VRAM</dt><dd>${bytes(size_vram)}</dd></div>
<div><dt>RAM</dt><dd>${bytes(size_ram)}</dd></div>
<div><dt>On the GPU</dt><dd>${gpu}</dd></div>
</dl>
${bar('VRAM', models, ({ size_vram }) => size_vram, vram_capacity)}${bar('RAM', models, ramOf, memory_capacity)}${skipped === 0 ? '' : html`<p>${skipped} of the rows of <code>/api/ps</code> could not be used.</p>\n`}`;
}

function targetForm({ target, module }: Status, { openModules }: PageFrame): Html {
  if (openModules.length === 0) {
    return html``;
  }
  return html`<section aria-labelledby="other">
<h2 id="other">Another server</h2>
<form action="./" method="get">
<p><label>Target <input name="target" required placeholder="gpu-07:11434" value="${target}"></label></p>
<p><label>Module <select name="module">${openModules.map(
    (name) => html`<option${name === module ? new Html(' selected') : ''}>${name}</option>`,
  )}</select></label></p>
<p><button>Show</button></p>
</form>
</section>
`;
}
