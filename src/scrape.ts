/** Turns a client and a deadline into a `Snapshot`: what one Ollama server says of itself right now. */
import { ApiError } from './ollama/api-error.ts';
import type { OllamaClient } from './ollama/client.ts';
import type { RunningModels } from './ollama/running-models.ts';

/** A call that was made: what it gave or why it failed, and how long it took. */
export type Outcome<T> = { readonly seconds: number } & (
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ApiError }
);

export interface Snapshot {
  readonly ps: Outcome<RunningModels>;
  readonly version: Outcome<string>;
}

/** A failed call is part of the snapshot, with its reason; nothing is thrown. */
export async function scrape(ollama: OllamaClient, signal: AbortSignal): Promise<Snapshot> {
  const [ps, version] = await Promise.all([
    settle(() => ollama.runningModels(signal)),
    settle(() => ollama.version(signal)),
  ]);
  return { ps, version };
}

/** Whether Ollama answered at least one call properly. */
export function isUp({ ps, version }: Snapshot): boolean {
  return ps.ok || version.ok;
}

/** The calls of a snapshot with the names that they have in `api` labels. */
export function outcomes({ ps, version }: Snapshot): ReadonlyArray<readonly [api: string, Outcome<unknown>]> {
  return [
    ['ps', ps],
    ['version', version],
  ];
}

async function settle<T>(call: () => Promise<T>): Promise<Outcome<T>> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1_000;
  try {
    const value = await call();
    return { ok: true, value, seconds: seconds() };
  } catch (error) {
    if (error instanceof ApiError) {
      return { ok: false, error, seconds: seconds() };
    }
    throw error;
  }
}
