/** Turns a seed into what users might ask of an Ollama: an endless, reproducible list of requests. */
import { CHAT_MODELS, EMBEDDING_MODEL, LARGE_MODEL } from './catalog.ts';
import type { SimulatedRequest } from './scheduler.ts';

export interface Arrival extends SimulatedRequest {
  /** Milliseconds since the start of the simulation. */
  readonly atMs: number;
}

/** Short, so that within a minute of watching something comes and goes; Ollama's default is five minutes. */
const KEEP_ALIVES_MS = [15_000, 30_000, 60_000, 120_000] as const;

/**
 * Requests in the order of their arrival, one about every ten seconds. First of all the embedding model is pinned;
 * now and then the large model is asked for, and a request runs longer than the keep-alive of the one before it,
 * so that a past expiry is seen on a busy model.
 */
export function* workload(seed: number): Generator<Arrival, never> {
  const random = randomNumbers(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  yield { atMs: 0, model: EMBEDDING_MODEL, durationMs: 500, keepAliveMs: Number.POSITIVE_INFINITY };
  for (let atMs = 1_000; ; atMs += 2_000 + random() * 16_000) {
    const model = random() < 0.06 ? LARGE_MODEL : (pick(CHAT_MODELS) ?? LARGE_MODEL);
    const durationMs = random() < 0.08 ? 90_000 : 1_000 + random() * 14_000;
    yield { atMs, model, durationMs, keepAliveMs: pick(KEEP_ALIVES_MS) ?? KEEP_ALIVES_MS[0] };
  }
}

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
