/** A client and a signal → what one Ollama server currently reports. */
import { messageOf } from '../log/error-text.ts';
import type { Exchange, OllamaClient } from '../ollama/client.ts';
import { ApiError } from '../ollama/errors.ts';
import type { InstalledModels, RunningModels } from '../ollama/models.ts';
import type { ReadRunners, RunnersReading } from './runners-reading.ts';

/** Memory of Ollama's machine, which Ollama does not report; undefined if not configured or detected. */
export interface Capacity {
  readonly vramBytes: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** A request: its result or why it failed, its duration, and the response. */
export type Outcome<T> = { readonly seconds: number; readonly exchange?: Exchange } & (
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ApiError }
);

export const COLLECTORS = ['ps', 'version', 'tags'] as const;
/** A request to Ollama's API, by its name in `/api/…` and in `api` labels. */
export type Collector = (typeof COLLECTORS)[number];

/** The result of a scrape: what Ollama reports, by request, and the capacity of its machine. */
export interface Snapshot {
  readonly capacity: Capacity;
  /** undefined, like each of them, if the request was not made. */
  readonly ps?: Outcome<RunningModels>;
  readonly version?: Outcome<string>;
  readonly tags?: Outcome<InstalledModels>;
  /** Also undefined if `/api/ps` failed. */
  readonly runners?: RunnersReading;
}

/** A running scrape. */
export interface RunningScrape {
  /** Rejects with a ForbiddenAddressError or a bug of the exporter; a failed request is an outcome, with its reason. */
  readonly done: Promise<Snapshot>;
  /** The result so far, for a scraper that can't wait: unfinished requests count as failed for this reason. */
  readonly cutShort: (reason: unknown) => Snapshot;
}

export interface ScrapeOptions {
  readonly capacity: Capacity;
  /** Always includes `ps` or `version`, which determine `ollama_up`. */
  readonly collectors: readonly Collector[];
  /** undefined: runners are not read. */
  readonly readRunners?: ReadRunners | undefined;
}

export function startScrape(
  ollama: OllamaClient,
  { capacity, collectors, readRunners }: ScrapeOptions,
  signal: AbortSignal,
): RunningScrape {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1_000;
  const exchanges = { ps: { signal }, version: { signal }, tags: { signal } } satisfies Record<
    Collector,
    Exchange
  >;
  const settle = async <T>(
    exchange: Exchange,
    request: (exchange: Exchange) => Promise<T>,
  ): Promise<Outcome<T>> => {
    try {
      const value = await request(exchange);
      return { ok: true, value, seconds: seconds(), exchange };
    } catch (error) {
      if (error instanceof ApiError) {
        return { ok: false, error, seconds: seconds(), exchange };
      }
      throw error;
    }
  };
  const snapshot: { -readonly [Name in keyof Snapshot]: Snapshot[Name] } = { capacity };
  const requests: Readonly<Record<Collector, () => Promise<void>>> = {
    ps: async () => {
      snapshot.ps = await settle(exchanges.ps, ollama.ps);
    },
    version: async () => {
      snapshot.version = await settle(exchanges.version, ollama.version);
    },
    tags: async () => {
      snapshot.tags = await settle(exchanges.tags, ollama.tags);
    },
  };
  const calls = new Map(collectors.map((api) => [api, requests[api]()]));
  const runners = async () => {
    const ps = calls.get('ps')?.then(
      () => (snapshot.ps?.ok ? snapshot.ps.value : undefined),
      // `done` rejects with it.
      () => undefined,
    );
    const reading = ps && (await readRunners?.(ollama, ps, signal));
    if (reading !== undefined) {
      snapshot.runners = reading;
    }
  };
  return {
    done: Promise.all([...calls.values(), runners()]).then(() => snapshot),
    cutShort: (reason) => {
      const error = new ApiError('timeout', messageOf(reason), { cause: reason });
      const noRunners =
        readRunners !== undefined && snapshot.ps?.ok
          ? { runners: { seconds: seconds(), models: [], problems: [error] } }
          : {};
      const failed = collectors.map(
        (api) => [api, { ok: false, error, seconds: seconds(), exchange: exchanges[api] }] as const,
      );
      return { ...Object.fromEntries(failed), ...noRunners, ...snapshot };
    },
  };
}

/** Whether Ollama returned a valid response to /api/ps or /api/version. */
export function isUp({ ps, version }: Snapshot): boolean {
  return ps?.ok === true || version?.ok === true;
}

/** The requests that were made, by their names in `api` labels. */
export function outcomes(snapshot: Snapshot): ReadonlyArray<readonly [api: Collector, Outcome<unknown>]> {
  return COLLECTORS.flatMap((api) => {
    const outcome = snapshot[api];
    return outcome === undefined ? [] : [[api, outcome] as const];
  });
}
