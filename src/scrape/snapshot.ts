/** Turns a client and a signal into a reading of one Ollama server: what it says of itself right now. */

import { messageOf } from '../log/error-text.ts';
import type { CancelSignal } from '../ollama/cancellation.ts';
import type { OllamaClient } from '../ollama/client.ts';
import { ApiError } from '../ollama/errors.ts';
import type { InstalledModels } from '../ollama/installed-models.ts';
import type { RunningModels } from '../ollama/running-models.ts';

/** How much memory the machine of an Ollama has, which Ollama does not say; undefined where nobody said so. */
export interface Capacity {
  readonly vramBytes: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** A call that was made: what it gave or why it failed, and how long it took. */
export type Outcome<T> = { readonly seconds: number } & (
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ApiError }
);

export const COLLECTORS = ['ps', 'version', 'tags'] as const;
/** A call of Ollama's API, by its name in `/api/…` and in `api` labels. */
export type Collector = (typeof COLLECTORS)[number];

/** What a scraper is told: what Ollama says, by call, and what is known of its machine beforehand. */
export interface Snapshot {
  readonly capacity: Capacity;
  /** undefined, as each of them, where it was not asked for. */
  readonly ps?: Outcome<RunningModels> | undefined;
  readonly version?: Outcome<string> | undefined;
  readonly tags?: Outcome<InstalledModels> | undefined;
}

/** The calls of one reading, some of which may still be under way. */
export interface Reading {
  /** Rejects with a ForbiddenAddressError and faults of our own; a failed call is an outcome, with its reason. */
  readonly done: Promise<Snapshot>;
  /** What there is of it now, for one who can't wait: a call that is still under way has failed for this reason. */
  readonly cutShort: (reason: unknown) => Snapshot;
}

/** What to call, and what is known beforehand. */
export interface Assignment {
  readonly capacity: Capacity;
  /** `ps` or `version` is among them: `ollama_up` comes from these. */
  readonly collectors: readonly Collector[];
}

export function startReading(
  ollama: OllamaClient,
  { capacity, collectors }: Assignment,
  signal: CancelSignal,
): Reading {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1_000;
  const settle = async <T>(call: (signal: CancelSignal) => Promise<T>): Promise<Outcome<T>> => {
    try {
      const value = await call(signal);
      return { ok: true, value, seconds: seconds() };
    } catch (error) {
      if (error instanceof ApiError) {
        return { ok: false, error, seconds: seconds() };
      }
      throw error;
    }
  };
  const snapshot: { -readonly [Name in keyof Snapshot]: Snapshot[Name] } = { capacity };
  const calls: Readonly<Record<Collector, () => Promise<void>>> = {
    ps: async () => {
      snapshot.ps = await settle(ollama.runningModels);
    },
    version: async () => {
      snapshot.version = await settle(ollama.version);
    },
    tags: async () => {
      snapshot.tags = await settle(ollama.installedModels);
    },
  };
  return {
    done: Promise.all(collectors.map((api) => calls[api]())).then(() => snapshot),
    cutShort: (reason) => {
      const error = new ApiError('timeout', messageOf(reason), { cause: reason });
      const failed = { ok: false, error, seconds: seconds() } as const;
      return { ...Object.fromEntries(collectors.map((api) => [api, failed])), ...snapshot };
    },
  };
}

/** Whether Ollama answered /api/ps or /api/version properly. */
export function isUp({ ps, version }: Snapshot): boolean {
  return ps?.ok === true || version?.ok === true;
}

/** The calls that were made, with the names that they have in `api` labels. */
export function outcomes(snapshot: Snapshot): ReadonlyArray<readonly [api: Collector, Outcome<unknown>]> {
  const made: Array<readonly [Collector, Outcome<unknown>]> = [];
  for (const api of COLLECTORS) {
    const outcome = snapshot[api];
    if (outcome !== undefined) {
      made.push([api, outcome]);
    }
  }
  return made;
}
