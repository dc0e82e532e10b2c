/** What the simulated Ollama has loaded is a function of the time, so a response shows when it was true. */
import { psBody, versionBody } from '../../src/demo/api.ts';
import { type Exposition, sampleValue } from '../exposition.ts';

/** Long enough for equal responses, short enough to detect a stale one. */
const STATE_MS = 20;
const EXPIRES_SECONDS = 300;
const YEARS_292_MS = 292 * 365 * 24 * 3_600_000;
/** Date headers have whole seconds, and the exporter ignores differences of up to 2 s. */
const SLACK_SECONDS = 3;

/** Milliseconds on a monotonic clock that all processes share. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export const stateAt = (ms: number) => Math.floor(ms / STATE_MS);
const modelsOf = (state: number) => Array.from({ length: state % 5 }, (_, index) => index);
const isPinned = (index: number) => index % 2 === 1;

export function versionOf(state: number): string {
  return versionBody(`0.33.${state}`);
}

/** Every figure identifies the state. */
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
      expiresAtMs: nowMs + (isPinned(index) ? YEARS_292_MS : EXPIRES_SECONDS * 1_000),
    })),
  );
}

function expected(state: number): string {
  const models = modelsOf(state);
  const sizes = models.map((index) => state * 1_000 + index);
  const digests = models.map((index) => `${state}-${index}`);
  return JSON.stringify([
    models.length,
    sizes,
    models.map(() => state * 1_000),
    models.map(() => state),
    digests,
  ]);
}

/** @returns what matches no state that Ollama had between two moments; undefined if everything matches one */
export function stateProblem(exposition: Exposition, from: number, to: number): string | undefined {
  const states = Array.from({ length: stateAt(to) - stateAt(from) + 1 }, (_, index) => stateAt(from) + index);
  const samples = (name: string) => exposition.get(name)?.samples ?? [];
  const values = (name: string) => samples(name).map(({ value }) => value);
  const succeeded = (api: string) => sampleValue(exposition, 'ollama_scrape_success', { api }) === 1;
  const between = `state between ${states[0]} and ${states.at(-1)}`;
  if (succeeded('ps')) {
    const shown = JSON.stringify([
      sampleValue(exposition, 'ollama_loaded_models'),
      values('ollama_model_size_bytes'),
      values('ollama_model_size_vram_bytes'),
      values('ollama_model_context_length_tokens'),
      samples('ollama_model_info').map(({ labels }) => labels['digest']),
    ]);
    if (!states.some((state) => shown === expected(state))) {
      return `models of no ${between}: ${shown}`;
    }
    const slack = SLACK_SECONDS + (to - from) / 1_000;
    const wrong = values('ollama_model_expires_in_seconds').find((value, index) =>
      isPinned(index) ? value !== Number.POSITIVE_INFINITY : !(Math.abs(value - EXPIRES_SECONDS) <= slack),
    );
    if (wrong !== undefined) {
      return `expires in ${wrong} s`;
    }
  }
  const version = samples('ollama_version_info')[0]?.labels['version'];
  return succeeded('version') && !states.some((state) => version === `0.33.${state}`)
    ? `version of no ${between}: ${version}`
    : undefined;
}
