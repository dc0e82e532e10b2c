/** Renders the line at the top of the page: server, state, version and age, with the problems below it. */
import { type Html, html } from './html.ts';
import { type Problem, RUNNERS, type Status } from './status.ts';

export const STATES: Readonly<Record<Status['state'], string>> = {
  up: 'Up',
  partial: 'Degraded',
  down: 'Down',
};

/** The events of the demo (src/demo/workload.ts), as a Prometheus with the shipped alerts reports them. */
const DEMO_ALERTS =
  'No real Ollama is scraped. With Prometheus and the alerts, OllamaVramAlmostFull fires after 2 minutes, OllamaVramFull after 4, and both resolve within 10. The demo repeats every half hour.';

export function serverLine(status: Status): Html {
  const { module, simulated, state, version, read_at, seconds, problems } = status;
  return html`<header>
<h1>${nameOf(status)}</h1>
<p class="pill ${state}" role="status">${STATES[state]}</p>
${version === null ? '' : html`<p>Ollama ${version}</p>\n`}${module === 'default' ? '' : html`<p>Module ${module}</p>\n`}<p class="quiet">Scraped <time id="age" datetime="${read_at}">at ${timeInWords(read_at)}</time> in ${durationOf(seconds)}<span class="scripted">, refreshes every 5 s</span></p>
</header>
${simulated ? html`<p class="quiet">${DEMO_ALERTS}</p>\n` : ''}${problemsOf(problems)}`;
}

/** `Up: gpu-07:11434` */
export function pageTitle(status: Status): string {
  return `${STATES[status.state]}: ${nameOf(status)}`;
}

/** The scheme is shown only for https, and the address of the demo not at all. */
function nameOf({ simulated, target }: Status): string {
  return simulated ? 'Simulated Ollama' : target.replace(/^http:\/\//, '').replace(/\/$/, '');
}

/** `2026-11-26 21:51:03 UTC` */
export function timeInWords(rfc3339: string): string {
  return rfc3339.replace('T', ' ').replace(/\..*/, ' UTC');
}

/** Requests that fail in the same way are one problem. */
function problemsOf(problems: Status['problems']): readonly Html[] {
  const isSame = (a: Problem, b: Problem) =>
    a.reason === b.reason && a.message === b.message && (a.api === RUNNERS) === (b.api === RUNNERS);
  return problems
    .filter((problem, index) => problems.findIndex((other) => isSame(other, problem)) === index)
    .map((problem) => {
      const apis = problems.filter((other) => isSame(other, problem)).map(({ api }) => `/api/${api}`);
      if (problem.api === RUNNERS) {
        return html`<p class="note">Runners: <strong>${problem.reason}</strong> (${problem.message}). ${problem.remedy}</p>
`;
      }
      return html`<p class="problem"><strong>${apis.join(' and ')} failed: ${problem.reason}</strong> (${problem.message}). ${problem.remedy}</p>
`;
    });
}

function durationOf(seconds: number): string {
  return seconds < 1 ? `${Math.max(1, Math.round(seconds * 1_000))} ms` : `${seconds.toFixed(1)} s`;
}
