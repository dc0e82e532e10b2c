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

export const COLLECTORS = ['ps', 'version', 'tags'] as const;
/** A call of Ollama's API, by its name in `/api/…` and in `api` labels. */
export type Collector = (typeof COLLECTORS)[number];

/** What to ask, and what is known of its machine beforehand. */
export interface ScrapeOptions {
  readonly ollama: OllamaClient;
  readonly capacity: Capacity;
  /** `ps` or `version` is among them: `ollama_up` comes from these. */
  readonly collectors: readonly Collector[];
}

export interface Snapshot {
  readonly capacity: Capacity;
  /** undefined here and below: not asked for. */
  readonly ps?: Outcome<RunningModels> | undefined;
  readonly version?: Outcome<string> | undefined;
  readonly tags?: Outcome<InstalledModels> | undefined;
}

/** A failed call is part of the snapshot, with its reason; a ForbiddenAddressError and faults of our own are thrown. */
export async function scrape(
  { ollama, capacity, collectors }: ScrapeOptions,
  signal: AbortSignal,
): Promise<Snapshot> {
  const ask = <T>(name: Collector, call: (signal: AbortSignal) => Promise<T>) =>
    collectors.includes(name) ? settle(() => call(signal)) : undefined;
  const [ps, version, tags] = await Promise.all([
    ask('ps', ollama.runningModels),
    ask('version', ollama.version),
    ask('tags', ollama.installedModels),
  ]);
  return { capacity, ps, version, tags };
}

/** Whether Ollama answered /api/ps or /api/version properly. */
export function isUp({ ps, version }: Snapshot): boolean {
  return ps?.ok === true || version?.ok === true;
}

/** The calls that were made, with the names that they have in `api` labels. */
export function outcomes(snapshot: Snapshot): ReadonlyArray<readonly [api: Collector, Outcome<unknown>]> {
  return COLLECTORS.flatMap((api) => {
    const outcome = snapshot[api];
    return outcome === undefined ? [] : [[api, outcome] as const];
  });
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
