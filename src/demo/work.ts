/** Computes the counters of a runner from the demo's requests: busy slots, tokens and seconds. */
import { type CatalogModel, GIB } from './catalog.ts';

export interface RunningRequest {
  readonly durationMs: number;
  /** Unix milliseconds. */
  readonly untilMs: number;
}

/** Counted since the model was loaded, as in llama-server. */
export interface Work {
  readonly generatedTokens: number;
  readonly generationSeconds: number;
  /** Without cached tokens. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly promptSeconds: number;
}

export const NO_WORK: Work = {
  generatedTokens: 0,
  generationSeconds: 0,
  promptTokens: 0,
  cachedTokens: 0,
  promptSeconds: 0,
};

/** In Ollama, embedding models have one. */
export function slotsOf(model: CatalogModel): number {
  return isEmbedding(model) ? 1 : 4;
}

export function busySlots(model: CatalogModel, requests: readonly RunningRequest[]): number {
  const busy = requests.reduce((sum, { durationMs }) => sum + clientsOf(model, durationMs), 0);
  return Math.min(busy, slotsOf(model));
}

/** The size of one client's request and of its response. */
export interface Prompt {
  readonly promptTokens: number;
  readonly generatedTokens: number;
}

/** @returns a prompt that keeps a slot busy for about this time */
export function promptOf(model: CatalogModel, durationMs: number): Prompt {
  return isEmbedding(model)
    ? { promptTokens: Math.round((durationMs / 1_000) * PROMPT_SPEED), generatedTokens: 0 }
    : {
        promptTokens: 200 + Math.round(durationMs / 10),
        generatedTokens: Math.round((durationMs / 1_000) * 0.9 * tokensPerSecond(model)),
      };
}

/** Tokens per second. */
const PROMPT_SPEED = 2_000;

/**
 * What a runner counts for one prompt. Most of a chat prompt repeats earlier messages, which are cached.
 *
 * @param isFirst whether it is the first request since the model was loaded
 */
export function workOf(
  model: CatalogModel,
  { promptTokens, generatedTokens }: Prompt,
  isFirst: boolean,
): Work {
  const cachedTokens = isFirst || isEmbedding(model) ? 0 : Math.round(promptTokens * 0.6);
  return {
    generatedTokens,
    generationSeconds: generatedTokens / tokensPerSecond(model),
    promptTokens: promptTokens - cachedTokens,
    cachedTokens,
    promptSeconds: (promptTokens - cachedTokens) / PROMPT_SPEED,
  };
}

/** Called when a request starts. */
export function prompted(model: CatalogModel, work: Work, durationMs: number): Work {
  const each = workOf(model, promptOf(model, durationMs), work === NO_WORK);
  const clients = clientsOf(model, durationMs);
  return {
    ...work,
    promptTokens: work.promptTokens + clients * each.promptTokens,
    cachedTokens: work.cachedTokens + clients * each.cachedTokens,
    promptSeconds: work.promptSeconds + clients * each.promptSeconds,
  };
}

/** Called when a request ends. */
export function finished(model: CatalogModel, work: Work, durationMs: number): Work {
  const each = workOf(model, promptOf(model, durationMs), false);
  const clients = clientsOf(model, durationMs);
  return {
    ...work,
    generatedTokens: work.generatedTokens + clients * each.generatedTokens,
    generationSeconds: work.generationSeconds + clients * each.generationSeconds,
  };
}

/** Limited by memory bandwidth: each token requires reading the whole model. */
function tokensPerSecond({ diskBytes }: CatalogModel): number {
  return Math.min(400 / (diskBytes / GIB), 180);
}

/** A request of the workload represents one to three concurrent clients. */
export function clientsOf(model: CatalogModel, durationMs: number): number {
  return isEmbedding(model) ? 1 : 1 + (Math.floor(durationMs) % 3);
}

export function isEmbedding({ family }: CatalogModel): boolean {
  return family.endsWith('bert');
}
