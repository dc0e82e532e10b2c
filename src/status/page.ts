/** Renders a status as the page at `/`: complete without JavaScript, refreshed with it. */
import type { PageAssets } from './assets.ts';
import type { CapacitySource } from './capacity-advice.ts';
import { Html, html } from './html.ts';
import { memoryCards } from './memory-cards.ts';
import { coloursOf } from './model-colours.ts';
import { byName, modelTable } from './model-table.ts';
import { pageTitle, serverLine } from './server-line.ts';
import type { ModelStatus, Status } from './status.ts';

/** The content of the page besides the status. */
export interface PageFrame {
  /** The version of the exporter. */
  readonly version: string;
  readonly telemetryPath: string;
  /** The query of the page, with its question mark. */
  readonly search: string;
  /** The modules with an allow list; empty if /probe is disabled. */
  readonly openModules: readonly string[];
  /** The value of --web.dashboard-url. */
  readonly dashboardUrl: URL | undefined;
  readonly capacitySource: CapacitySource;
  /** The table of the fleet; undefined if there is none. */
  readonly fleet?: Html | undefined;
  /** The path of the JSON, if not /api/status. */
  readonly json?: string;
}

/** JavaScript refreshes what is in `main`, and the title. */
export function statusPage(status: Status, frame: PageFrame, { style, script }: PageAssets): string {
  return document(frame, style, script, pageTitle(status), [
    html`<main>
${status.models === null ? '' : html`<a class="skip" href="#models">Skip to the models</a>\n`}${serverLine(status)}${memoryAndModels(status, frame)}${frame.fleet ?? ''}</main>
`,
    targetForm(status, frame),
  ]).text;
}

/** The page with `--ollama.url=none`. */
export function fleetPage(frame: PageFrame, { style, script }: PageAssets): string {
  return document({ ...frame, search: '', json: './api/fleet' }, style, script, 'Fleet', [
    html`<main>
<header>
<h1>Ollama servers</h1>
</header>
${frame.fleet ?? ''}</main>
`,
    targetForm(NO_TARGET, frame),
  ]).text;
}

const NO_TARGET = { target: '', module: '' };

/** @param message the error in the request */
export function refusalPage(
  statusCode: number,
  message: string,
  frame: PageFrame,
  { style }: PageAssets,
): string {
  const title = REFUSALS.get(statusCode) ?? 'Invalid request';
  // A rejected request has neither a debug report nor JSON.
  return document({ ...frame, search: '' }, style, '', title, [
    html`<main>
<header>
<h1>${title}</h1>
</header>
<p class="problem">${message}</p>
<p><a href="./">Back to this exporter's Ollama</a></p>
</main>
`,
  ]).text;
}

const REFUSALS: ReadonlyMap<number, string> = new Map([
  [403, 'Target not allowed'],
  [503, 'Exporter busy'],
]);

function document(
  frame: PageFrame,
  style: string,
  script: string,
  title: string,
  content: readonly Html[],
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – Ollama Exporter</title>
<link rel="icon" href="data:,">
<style>${new Html(style)}</style>
</head>
<body>
<p id="connection" role="status" hidden></p>
${content}<footer>
<nav aria-label="Other pages">
<ul>
${linksOf(frame).map(([text, href]) => html`<li><a href="${href}">${text}</a></li>\n`)}</ul>
</nav>
<p class="quiet">ollama-exporter ${frame.version}</p>
</footer>
${script === '' ? '' : html`<script type="module">${new Html(script)}</script>\n`}</body>
</html>
`;
}

function linksOf({
  telemetryPath,
  search,
  dashboardUrl,
  json = './api/status',
}: PageFrame): ReadonlyArray<readonly [string, string]> {
  const query = new URLSearchParams(search);
  const isProbed = query.has('target');
  for (const name of ['sort', 'fleet-sort', 'fleet-filter']) {
    query.delete(name);
  }
  const target = query.size === 0 ? '' : `?${query}`;
  return [
    ...(dashboardUrl === undefined ? [] : [['Dashboard', dashboardUrl.href] as const]),
    ['Metrics', `.${telemetryPath}`],
    ...(isProbed ? [['Debug report of this target', `./probe${target}&debug=true`] as const] : []),
    ['This page as JSON', `${json}${target}`],
    ['Configuration', './config'],
    ['Project', 'https://github.com/ollama-exporter/ollama-exporter'],
  ];
}

/** Empty while Ollama is down, because then there are no values. */
function memoryAndModels(status: Status, { capacitySource, search }: PageFrame): Html {
  if (status.models === null) {
    return status.state === 'down' ? html`` : html`<p>Loaded models unknown.</p>\n`;
  }
  const models = byName(status.models.map(shortened));
  const colours = coloursOf(models.map(({ model }) => model));
  return html`${memoryCards(status, models, colours, capacitySource)}${modelTable(status, models, colours, search)}`;
}

/** Ollama's own names have at most 593 characters. The page repeats a name several times; /api/status has all of it. */
const MAX_NAME_LENGTH = 600;

function shortened(model: ModelStatus): ModelStatus {
  const { model: name } = model;
  return name.length > MAX_NAME_LENGTH ? { ...model, model: `${name.slice(0, MAX_NAME_LENGTH)}…` } : model;
}

function targetForm({ target, module }: Pick<Status, 'target' | 'module'>, { openModules }: PageFrame): Html {
  if (openModules.length === 0) {
    return html``;
  }
  return html`<section aria-labelledby="other">
<h2 id="other">Another server</h2>
<form action="./" method="get">
<label>Target <input name="target" required placeholder="gpu-07:11434" value="${target}"></label>
<label>Module <select name="module">${openModules.map(
    (name) => html`<option${name === module ? new Html(' selected') : ''}>${name}</option>`,
  )}</select></label>
<button>Show</button>
</form>
</section>
`;
}
