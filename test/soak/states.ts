/** What the Ollama of the soak has in memory: a function of the clock, so that any answer can be dated. */
import { psBody, versionBody } from '../../src/demo/api.ts';
import { type Exposition, sampleValue } from '../exposition.ts';

/** Long enough that some answers repeat, short enough that an old one shows. */
const STATE_MS = 20;
const EXPIRES_SECONDS = 300;
/** Date headers have whole seconds, and a smaller difference than 2 s is none to the exporter. */
const EXPIRY_SLACK_SECONDS = 3;

export function stateAt(ms: number): number {
  return Math.floor(ms / STATE_MS);
}

/** Every figure of it tells its number. */
export function psOf(state: number, nowMs: number): string {
  return psBody(
    modelsOf(state).map((index) => ({
      model: {
        name: `model-${index}`,
        digest: `${state}-${index}`,
        family: 'qwen3',
        parameterSize: '8B',
        quantization: 'Q4_K_M',
        sizeBytes: state * 1_000 + index,
        diskBytes: 0,
        contextLength: state,
      },
      sizeVramBytes: state * 1_000,
      expiresAtMs: nowMs + (isPinned(index) ? 292 * 365 * 24 * 3_600_000 : EXPIRES_SECONDS * 1_000),
    })),
  );
}

export function versionOf(state: number): string {
  return versionBody(`0.33.${state}`);
}

function modelsOf(state: number): readonly number[] {
  return Array.from({ length: state % 5 }, (_, index) => index);
}

function isPinned(index: number): boolean {
  return index % 2 === 1;
}

/** Of the calls of the reading. */
export function longestMs(exposition: Exposition): number {
  const durations = exposition.get('ollama_scrape_duration_seconds')?.samples ?? [];
  return Math.max(0, ...durations.map(({ value }) => value * 1_000));
}

/** @returns what is not as Ollama was at some moment while it was read, until `end`; undefined if all is */
export function stateProblem(exposition: Exposition, arrival: number, end: number): string | undefined {
  // A scrape may share a reading that was under way when it arrived.
  const start = arrival - longestMs(exposition);
  const window = Array.from({ length: stateAt(end) - stateAt(start) + 1 }, (_, i) => stateAt(start) + i);
  const succeeded = (api: string) => sampleValue(exposition, 'ollama_scrape_success', { api }) === 1;
  if (succeeded('ps')) {
    const seconds = (end - start) / 1_000;
    const shown = shownModels(exposition);
    if (!window.some((state) => shown === expectedModels(state))) {
      return `models of no state from ${window[0]} to ${window.at(-1)}: ${shown}`;
    }
    const wrong = wrongExpiry(exposition, seconds + EXPIRY_SLACK_SECONDS);
    if (wrong !== undefined) {
      return wrong;
    }
  }
  const version = exposition.get('ollama_version_info')?.samples[0]?.labels['version'];
  return succeeded('version') && !window.some((state) => version === `0.33.${state}`)
    ? `version of no state from ${window[0]} to ${window.at(-1)}: ${version}`
    : undefined;
}

function expectedModels(state: number): string {
  const models = modelsOf(state);
  return JSON.stringify([
    models.length,
    models.map((index) => state * 1_000 + index),
    models.map(() => state * 1_000),
    models.map(() => state),
    models.map((index) => `${state}-${index}`),
  ]);
}

function shownModels(exposition: Exposition): string {
  const values = (name: string) => (exposition.get(name)?.samples ?? []).map(({ value }) => value);
  return JSON.stringify([
    sampleValue(exposition, 'ollama_loaded_models'),
    values('ollama_model_size_bytes'),
    values('ollama_model_size_vram_bytes'),
    values('ollama_model_context_length_tokens'),
    (exposition.get('ollama_model_info')?.samples ?? []).map(({ labels }) => labels['digest']),
  ]);
}

function wrongExpiry(exposition: Exposition, slack: number): string | undefined {
  const samples = exposition.get('ollama_model_expires_in_seconds')?.samples ?? [];
  const wrong = samples.find(({ value }, index) =>
    isPinned(index) ? value !== Number.POSITIVE_INFINITY : !(Math.abs(value - EXPIRES_SECONDS) <= slack),
  );
  return wrong && `expires in ${wrong.value} s`;
}
