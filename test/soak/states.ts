/** What the simulated Ollama has loaded is a function of the time, so a response shows when it was true. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Exposition, parseExposition } from '../exposition.ts';
import type { Scraped } from './faults.ts';

/** Long enough for equal responses, short enough to detect a stale one. */
const STATE_MS = 20;
const EXPIRES_SECONDS = 300;
const NEVER = '2318-12-02T07:01:23.978232596Z';
/** Date headers have whole seconds, and the exporter ignores differences of up to 2 s. */
const SLACK_SECONDS = 3;

/** Milliseconds on a monotonic clock that all processes share. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export const sleepUntil = (ms: number) => sleep(Math.max(0, ms - now()));

const stateAt = (ms: number) => Math.floor(ms / STATE_MS);
const versionOf = (state: number) => `0.33.${state}`;

/** None to four rows of /api/ps. Every value except the expiry identifies the state. */
const modelsOf = (state: number, wallClockMs: number) =>
  Array.from({ length: state % 5 }, (_, index) => ({
    name: `model-${index}`,
    size: state * 1_000 + index,
    size_vram: state * 1_000,
    context_length: state,
    digest: `${state}-${index}`,
    expires_at: index % 2 === 0 ? new Date(wallClockMs + EXPIRES_SECONDS * 1_000).toISOString() : NEVER,
  }));

/** @param wallClockMs of the host of Ollama, as Unix time */
export function bodyOf(path: string, wallClockMs: number): string {
  const state = stateAt(now());
  const body = path === '/api/ps' ? { models: modelsOf(state, wallClockMs) } : { version: versionOf(state) };
  return JSON.stringify(body);
}

/** What an exposition shows if it is correct. */
function shownOf(state: number): string {
  const models = modelsOf(state, 0);
  return [
    models.length,
    ...(['size', 'size_vram', 'context_length', 'digest'] as const).map((field) =>
      models.map((model) => model[field]),
    ),
    models.map(({ expires_at }) => (expires_at === NEVER ? Number.POSITIVE_INFINITY : EXPIRES_SECONDS)),
  ].join(' ');
}

type Verdict = Pick<Scraped, 'kind' | 'note' | 'readMs'>;

/** @param status 0 if there is no response, but an error as its text */
export function judge(status: number, text: string, start: number, end: number): Verdict {
  if (status === 0) {
    return { kind: 'none', note: text, readMs: 0 };
  }
  try {
    assert(status === 200, `status ${status}`);
    return judgeExposition(parseExposition(text), start, end);
  } catch (error) {
    return { kind: 'wrong', note: `${error}: ${text.slice(0, 100)}`, readMs: 0 };
  }
}

/** @throws AssertionError unless it shows a state of Ollama within this time, and nothing for a failed request */
function judgeExposition(exposition: Exposition, start: number, end: number): Verdict {
  const samples = (name: string) => exposition.get(name)?.samples ?? [];
  const values = (name: string) => samples(name).map(({ value }) => value);
  const labels = (name: string, label: string) => samples(name).map((sample) => sample.labels[label] ?? '');
  // The scrape may share one that started before it.
  const readMs = 1_000 * Math.max(...values('ollama_scrape_duration_seconds'));
  const [first, last] = [stateAt(start - readMs), stateAt(end)];
  const slackSeconds = SLACK_SECONDS + (end - start + readMs) / 1_000;
  const contexts = values('ollama_model_context_length_tokens');
  const ps = [
    values('ollama_loaded_models'),
    values('ollama_model_size_bytes'),
    values('ollama_model_size_vram_bytes'),
    contexts,
    labels('ollama_model_info', 'digest'),
    values('ollama_model_expires_in_seconds').map((seconds) =>
      Math.abs(seconds - EXPIRES_SECONDS) <= slackSeconds ? EXPIRES_SECONDS : seconds,
    ),
  ].join(' ');
  const version = labels('ollama_version_info', 'version').join();
  const failed = labels('ollama_scrape_error', 'api');
  const assertTrue = (api: string, shown: string, state: number, of: (state: number) => string) => {
    const isTrue = failed.includes(api)
      ? shown.trim() === ''
      : first <= state && state <= last && shown === of(state);
    assert(isTrue, `${api} of no state from ${first} to ${last}: ${shown}`);
  };
  // A response without models could be any of those.
  assertTrue('ps', ps, contexts[0] ?? Math.ceil(first / 5) * 5, shownOf);
  assertTrue('version', version, Number(version.split('.')[2]), versionOf);
  const note = samples('ollama_scrape_error').map(({ labels: { api, reason } }) => `${api} ${reason}`);
  return { kind: failed.length > 0 ? 'failed' : 'right', note: note.join(), readMs };
}
