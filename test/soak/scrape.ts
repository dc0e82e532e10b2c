/** Scrapes once, and turns what came back into an `Answer`. */
import { type Agent, get, type IncomingMessage } from 'node:http';
import { type Exposition, parseExposition } from '../exposition.ts';
import { now } from './clock.ts';
import type { ExporterName } from './exporters.ts';
import { waitedForProcessor } from './lag.ts';
import { longestMs, stateProblem } from './states.ts';

/** What Prometheus would say; the exporter keeps half a second of it back. */
const TIMEOUT_SECONDS = 3;
export const BUDGET_MS = 2_500;
/** Then it is as good as never. */
const NEVER_MS = 30_000;

export interface Scraped {
  readonly name: string;
  readonly exporter: ExporterName;
  readonly url: string;
  /** Of that exporter. */
  readonly pid: number;
}

export interface Answer {
  readonly name: string;
  readonly exporter: ExporterName;
  readonly start: number;
  readonly end: number;
  /** By which the machine may have made it late. */
  readonly lagMs: number;
  /** That the reading took, which may have been under way. */
  readonly readMs: number;
  readonly kind: 'metrics' | 'busy' | 'none' | 'wrong';
  /** Of metrics, the calls that failed, such as `ps timeout`; else what happened. */
  readonly notes: readonly string[];
}

type Outcome = Pick<Answer, 'kind' | 'notes'> & Partial<Pick<Answer, 'readMs'>>;

export async function scrapeOnce(
  { name, exporter, url, pid }: Scraped,
  agent: Agent | false,
  ownLag: (since: number) => number,
): Promise<Answer> {
  const waited = waitedForProcessor(pid);
  const start = now();
  const { response, text } = await exchange(url, agent);
  const end = now();
  const lagMs = ownLag(start) + waitedForProcessor(pid) - waited;
  const outcome = judge(response, text, start, end);
  return { name, exporter, start, end, lagMs, readMs: 0, ...outcome };
}

interface Exchange {
  /** undefined: there was none, and the text says why. */
  readonly response: IncomingMessage | undefined;
  readonly text: string;
}

function exchange(url: string, agent: Agent | false): Promise<Exchange> {
  return new Promise((resolve) => {
    const headers = { 'x-prometheus-scrape-timeout-seconds': String(TIMEOUT_SECONDS) };
    const request = get(url, { agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', () => {}).on('close', () => resolve({ response, text }));
    });
    request.on('error', (error) => resolve({ response: undefined, text: error.message }));
    request.setTimeout(NEVER_MS, () => request.destroy(new Error('never answered')));
  });
}

function judge(response: IncomingMessage | undefined, text: string, start: number, end: number): Outcome {
  if (response === undefined) {
    return { kind: 'none', notes: [text] };
  }
  const status = response.statusCode;
  if (!response.complete) {
    return { kind: 'wrong', notes: [`status ${status}, cut off after ${text.length} characters`] };
  }
  if (status === 503 && text.startsWith('Limit of concurrent requests reached')) {
    return { kind: 'busy', notes: [] };
  }
  return status === 200
    ? judgeMetrics(text, start, end)
    : { kind: 'wrong', notes: [`status ${status}: ${text.slice(0, 200)}`] };
}

function judgeMetrics(text: string, start: number, end: number): Outcome {
  try {
    const exposition = parseExposition(text);
    const problem = stateProblem(exposition, start, end);
    return problem === undefined
      ? { kind: 'metrics', notes: failures(exposition), readMs: longestMs(exposition) }
      : { kind: 'wrong', notes: [problem] };
  } catch (error) {
    return { kind: 'wrong', notes: [`does not parse: ${error}`] };
  }
}

function failures(exposition: Exposition): readonly string[] {
  return (exposition.get('ollama_scrape_error')?.samples ?? [])
    .filter(({ value }) => value === 1)
    .map(({ labels }) => `${labels['api']} ${labels['reason']}`);
}
