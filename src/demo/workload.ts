/** Generates typical requests of users from a seed: an endless, reproducible list. */
import {
  type CatalogModel,
  EMBEDDING_MODEL,
  GEMMA,
  GPT_OSS,
  LARGE_MODEL,
  LLAMA,
  MISTRAL,
  QWEN,
  RETRIEVAL_MODEL,
} from './catalog.ts';
import type { SimulatedRequest } from './scheduler.ts';

export interface Arrival extends SimulatedRequest {
  /** Milliseconds since the start of the simulation, or Unix milliseconds. */
  readonly atMs: number;
}

/** A client that uses some models in turn, one request at a time, until others are used. */
interface Scene {
  readonly minutes: number;
  readonly models: readonly CatalogModel[];
  readonly requestSeconds: readonly [shortest: number, longest: number];
  readonly keepAliveSeconds: number;
}

/**
 * Half an hour, repeated. The first scrape is two minutes into the first scene (WARM_UP_MS in simulation.ts), so that
 * Prometheus sees from its start what it sees later in the third scene, with the windows of the alerts:
 * OllamaVramAlmostFull fires after 2 minutes, OllamaVramFull after 3 to 4, and both resolve within 10.
 */
const FIRST: Scene = {
  minutes: 2.15,
  models: [GPT_OSS, MISTRAL],
  requestSeconds: [2, 12],
  keepAliveSeconds: 120,
};
const SCENES: readonly Scene[] = [
  FIRST,
  { minutes: 1.35, models: [LLAMA, GPT_OSS], requestSeconds: [2, 12], keepAliveSeconds: 120 },
  { minutes: 2.85, models: [RETRIEVAL_MODEL, LLAMA, GPT_OSS], requestSeconds: [2, 8], keepAliveSeconds: 120 },
  // Requests longer than the keep-alive of the previous one: the expiry of a busy model is in the past.
  { minutes: 4.5, models: [QWEN], requestSeconds: [10, 60], keepAliveSeconds: 20 },
  // Larger than the GPU: it spills into RAM.
  { minutes: 0.65, models: [LARGE_MODEL], requestSeconds: [10, 20], keepAliveSeconds: 15 },
  { minutes: 3, models: [MISTRAL, QWEN], requestSeconds: [5, 20], keepAliveSeconds: 60 },
  // They don't fit next to each other: each load evicts the other model.
  { minutes: 2.5, models: [GPT_OSS, GEMMA], requestSeconds: [5, 15], keepAliveSeconds: 60 },
  { minutes: 6, models: [QWEN], requestSeconds: [5, 30], keepAliveSeconds: 60 },
  { minutes: 7, models: [GPT_OSS, MISTRAL], requestSeconds: [2, 12], keepAliveSeconds: 120 },
];

/** Requests in the order of their arrival. The first one pins the embedding model. */
export function* workload(seed: number): Generator<Arrival, never> {
  const random = randomNumbers(seed);
  const seconds = (shortest: number, longest: number) => 1_000 * (shortest + random() * (longest - shortest));
  yield { atMs: 0, model: EMBEDDING_MODEL, durationMs: 500, keepAliveMs: Number.POSITIVE_INFINITY };
  let atMs = 1_000;
  let sceneEndMs = 0;
  for (let turn = 0; ; turn = (turn + 1) % SCENES.length) {
    const { minutes, models, requestSeconds, keepAliveSeconds } = SCENES[turn] ?? FIRST;
    const after = (SCENES[turn + 1] ?? FIRST).models;
    sceneEndMs += minutes * 60_000;
    let requests = 0;
    do {
      const durationMs = seconds(...requestSeconds);
      const model = models[requests % models.length] ?? EMBEDDING_MODEL;
      yield { atMs, model, durationMs, keepAliveMs: keepAliveSeconds * 1_000 };
      requests += 1;
      atMs += durationMs + seconds(1, 5);
    } while (atMs < sceneEndMs);
    // The last request of a client to a model has keep_alive 0.
    for (const model of models.filter((used) => !after.includes(used))) {
      yield { atMs, model, durationMs: 500, keepAliveMs: 0 };
    }
    atMs += 1_000;
  }
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
