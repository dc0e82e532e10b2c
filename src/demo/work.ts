/** Turns the demo's requests into the counts of a runner: busy slots, tokens, and seconds. */
import { type CatalogModel, GIB } from './catalog.ts';

export interface RunningRequest {
  readonly durationMs: number;
  /** Unix milliseconds. */
  readonly untilMs: number;
}

/** As llama-server counts it from the load of the model on. */
export interface Work {
  readonly generatedTokens: number;
  readonly generationSeconds: number;
  /** Without those from the cache. */
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

/** Ollama gives embedding models one. */
export function slotsOf(model: CatalogModel): number {
  return isEmbedding(model) ? 1 : 4;
}

/** A request of the workload stands for one to three clients at the same time. */
export function busySlots(model: CatalogModel, requests: readonly RunningRequest[]): number {
  const busy = requests.reduce((sum, { durationMs }) => sum + clientsOf(model, durationMs), 0);
  return Math.min(busy, slotsOf(model));
}

/** When a request begins. Most of a chat's prompt repeats the messages before, which are cached. */
export function prompted(model: CatalogModel, work: Work, durationMs: number): Work {
  const clients = clientsOf(model, durationMs);
  const tokens = clients * (200 + Math.round(durationMs / 10));
  const cached = work === NO_WORK || isEmbedding(model) ? 0 : Math.round(tokens * 0.6);
  return {
    ...work,
    promptTokens: work.promptTokens + tokens - cached,
    cachedTokens: work.cachedTokens + cached,
    promptSeconds: work.promptSeconds + (tokens - cached) / 2_000,
  };
}

/** When a request ends. */
export function answered(model: CatalogModel, work: Work, durationMs: number): Work {
  if (isEmbedding(model)) {
    return work;
  }
  const seconds = clientsOf(model, durationMs) * (durationMs / 1_000) * 0.9;
  return {
    ...work,
    generatedTokens: work.generatedTokens + Math.round(seconds * tokensPerSecond(model)),
    generationSeconds: work.generationSeconds + seconds,
  };
}

/** By memory bandwidth: each token takes one read of the whole model. */
function tokensPerSecond({ diskBytes }: CatalogModel): number {
  return Math.min(400 / (diskBytes / GIB), 180);
}

function clientsOf(model: CatalogModel, durationMs: number): number {
  return isEmbedding(model) ? 1 : 1 + (Math.floor(durationMs) % 3);
}

function isEmbedding({ family }: CatalogModel): boolean {
  return family.endsWith('bert');
}
