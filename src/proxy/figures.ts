/** The token counts and durations of one response, in the formats of Ollama, OpenAI and Anthropic. */
import { isRecord } from '../ollama/json.ts';

/** undefined: not in the response. */
export interface Figures {
  readonly promptTokens?: number | undefined;
  /** The part of `promptTokens` that came from the cache. */
  readonly cachedPromptTokens?: number | undefined;
  readonly generatedTokens?: number | undefined;
  readonly promptSeconds?: number | undefined;
  readonly generationSeconds?: number | undefined;
  /** Waiting for the scheduler, eviction and load. */
  readonly loadSeconds?: number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const NANOSECONDS = 1e9;

/** From the last line of /api/generate and /api/chat, or the response of /api/embed. Ollama omits zeros. */
export function nativeFigures(fields: Fields): Figures | undefined {
  const promptTokens = count(fields['prompt_eval_count']);
  const generatedTokens = count(fields['eval_count']);
  const loadSeconds = seconds(fields['load_duration']);
  if (promptTokens === undefined && generatedTokens === undefined && loadSeconds === undefined) {
    return undefined;
  }
  return {
    promptTokens,
    cachedPromptTokens: count(fields['prompt_eval_cached_count']),
    generatedTokens,
    promptSeconds: seconds(fields['prompt_eval_duration']),
    generationSeconds: seconds(fields['eval_duration']),
    loadSeconds,
  };
}

/** From the `usage` of /v1: in the response, or in the last event that has one. */
export function usageFigures(usage: unknown): Figures | undefined {
  if (!isRecord(usage)) {
    return undefined;
  }
  const details = usage['prompt_tokens_details'] ?? usage['input_tokens_details'];
  return {
    promptTokens: count(usage['prompt_tokens']) ?? count(usage['input_tokens']),
    cachedPromptTokens: isRecord(details)
      ? count(details['cached_tokens'])
      : count(usage['cache_read_input_tokens']),
    generatedTokens: count(usage['completion_tokens']) ?? count(usage['output_tokens']),
  };
}

/** Whether it has token counts. */
export function hasTokens(figures: Figures | undefined): boolean {
  return figures?.promptTokens !== undefined || figures?.generatedTokens !== undefined;
}

/** Negative or impossible values would invalidate a counter permanently. */
const MAX_COUNT = 1e9;

function count(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= MAX_COUNT ? value : undefined;
}

/** A week. */
const MAX_SECONDS = 7 * 24 * 3_600;

function seconds(nanoseconds: unknown): number | undefined {
  const value = typeof nanoseconds === 'number' ? nanoseconds / NANOSECONDS : -1;
  return value >= 0 && value <= MAX_SECONDS ? value : undefined;
}
