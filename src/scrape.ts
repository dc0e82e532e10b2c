/** Turns a client and a deadline into a `Snapshot`: what one Ollama server says of itself right now. */
import type { Capacity } from './capacity.ts';
import { ApiError } from './ollama/api-error.ts';
import type { OllamaClient } from './ollama/client.ts';
import type { InstalledModels } from './ollama/installed-models.ts';
import type { RunningModels } from './ollama/running-models.ts';

/** A call that was made: what it gave or why it failed, and how long it took. */
export type Outcome<T> = { readonly seconds: number } & (
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ApiError }
);

/** What to ask, and what is known of its machine beforehand. */
export interface Target {
  readonly ollama: OllamaClient;
  readonly capacity: Capacity;
  /** Whether to ask for the models on disk too. */
  readonly tags: boolean;
}

export interface Snapshot {
  readonly capacity: Capacity;
  readonly ps: Outcome<RunningModels>;
  readonly version: Outcome<string>;
  /** undefined: not asked for. */
  readonly tags?: Outcome<InstalledModels>;
}

/** A failed call is part of the snapshot, with its reason; only a fault of the exporter's own is thrown. */
export async function scrape({ ollama, capacity, tags }: Target, signal: AbortSignal): Promise<Snapshot> {
  const [ps, version, installed] = await Promise.all([
    settle(() => ollama.runningModels(signal)),
    settle(() => ollama.version(signal)),
    tags ? settle(() => ollama.installedModels(signal)) : undefined,
  ]);
  return { capacity, ps, version, ...(installed && { tags: installed }) };
}

/** Whether Ollama answered at least one of the two calls that every scrape makes properly. */
export function isUp({ ps, version }: Snapshot): boolean {
  return ps.ok || version.ok;
}

/** The calls of a snapshot with the names that they have in `api` labels. */
export function outcomes({
  ps,
  version,
  tags,
}: Snapshot): ReadonlyArray<readonly [api: string, Outcome<unknown>]> {
  const asked = [
    ['ps', ps],
    ['version', version],
  ] as const;
  return tags === undefined ? asked : [...asked, ['tags', tags]];
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
