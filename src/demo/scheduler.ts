/** Keeps models in a simulated memory, following Ollama's scheduler (server/sched.go). Callers pass the time. */
import type { CatalogModel } from './catalog.ts';
import { busySlots, finished, NO_WORK, prompted, type RunningRequest, type Work } from './work.ts';

export interface SimulatedRequest {
  readonly model: CatalogModel;
  readonly durationMs: number;
  /** How long the model stays loaded after its last request; `Infinity` pins it (`keep_alive: -1`). */
  readonly keepAliveMs: number;
}

/** The fields of a model in `/api/ps`. */
export interface ListedModel {
  readonly model: CatalogModel;
  readonly sizeVramBytes: number;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
}

export interface LoadedModel extends ListedModel {
  readonly loadedAtMs: number;
  readonly busySlots: number;
  /** Since the load. */
  readonly work: Work;
}

interface Runner {
  readonly model: CatalogModel;
  readonly sizeVramBytes: number;
  readonly loadedAtMs: number;
  requests: readonly RunningRequest[];
  work: Work;
  keepAliveMs: number;
  /** End of the longest running request; undefined while idle. */
  busyUntilMs: number | undefined;
  /** Set when the model becomes idle, and not changed by the next request (sched.go:405-409, 475-492). */
  expiresAtMs: number | undefined;
}

/** `keep_alive: -1` is Go's longest duration, math.MaxInt64 nanoseconds: 292 years. */
const FOREVER_MS = 2 ** 63 / 1e6;

export class Scheduler {
  readonly #runners = new Map<string, Runner>();
  readonly #vramBytes: number;

  constructor(vramBytes: number) {
    this.#vramBytes = vramBytes;
  }

  /** Loads the model if necessary, and keeps it busy for the duration of the request. */
  request({ model, durationMs, keepAliveMs }: SimulatedRequest, nowMs: number): void {
    this.advance(nowMs);
    const runner = this.#runners.get(model.name) ?? this.#load(model, keepAliveMs, nowMs);
    runner.keepAliveMs = keepAliveMs;
    runner.busyUntilMs = Math.max(runner.busyUntilMs ?? 0, nowMs + durationMs);
    runner.requests = [...runner.requests, { durationMs, untilMs: nowMs + durationMs }];
    runner.work = prompted(model, runner.work, durationMs);
  }

  /** Like `ollama stop`: expires now, and unloads when no request is running (sched.go:1713-1731). */
  stop(name: string, nowMs: number): void {
    const runner = this.#runners.get(name);
    if (runner !== undefined) {
      runner.keepAliveMs = 0;
      runner.expiresAtMs = nowMs;
      this.advance(nowMs);
    }
  }

  /** Ends requests and unloads expired models, up to this time. */
  advance(nowMs: number): void {
    for (const [name, runner] of this.#runners) {
      const done = runner.requests.filter(({ untilMs }) => untilMs <= nowMs);
      if (done.length > 0) {
        runner.work = done.reduce(
          (work, { durationMs }) => finished(runner.model, work, durationMs),
          runner.work,
        );
        runner.requests = runner.requests.filter(({ untilMs }) => untilMs > nowMs);
      }
      if (runner.busyUntilMs !== undefined && runner.busyUntilMs <= nowMs) {
        runner.expiresAtMs = runner.busyUntilMs + Math.min(runner.keepAliveMs, FOREVER_MS);
        runner.busyUntilMs = undefined;
      }
      if (
        runner.busyUntilMs === undefined &&
        runner.expiresAtMs !== undefined &&
        runner.expiresAtMs <= nowMs
      ) {
        this.#runners.delete(name);
      }
    }
  }

  /** The rows of /api/ps, sorted by expiry, latest first (routes.go:2297-2300). */
  loaded(nowMs: number): readonly LoadedModel[] {
    this.advance(nowMs);
    return [...this.#runners.values()]
      .map(({ model, sizeVramBytes, loadedAtMs, requests, work, keepAliveMs, expiresAtMs }) => ({
        model,
        sizeVramBytes,
        loadedAtMs,
        busySlots: busySlots(model, requests),
        work,
        // During the first request after a load it is recomputed at each call, so it moves (sched.go:1775-1780).
        expiresAtMs: expiresAtMs ?? nowMs + Math.min(keepAliveMs, FOREVER_MS),
      }))
      .sort((a, b) => b.expiresAtMs - a.expiresAtMs);
  }

  /** Unloads idle models to make room; what does not fit into VRAM spills into RAM. */
  #load(model: CatalogModel, keepAliveMs: number, nowMs: number): Runner {
    for (const victim of this.#evictable()) {
      if (this.#freeVram() >= model.sizeBytes) {
        break;
      }
      this.#runners.delete(victim.model.name);
    }
    const sizeVramBytes = Math.min(model.sizeBytes, this.#freeVram());
    const runner: Runner = {
      model,
      sizeVramBytes,
      loadedAtMs: nowMs,
      requests: [],
      work: NO_WORK,
      keepAliveMs,
      busyUntilMs: undefined,
      expiresAtMs: undefined,
    };
    this.#runners.set(model.name, runner);
    return runner;
  }

  /** Idle models, shortest keep-alive first as in Ollama; unlike there, a pinned one stays, so that one always does. */
  #evictable(): readonly Runner[] {
    return [...this.#runners.values()]
      .filter(({ busyUntilMs, keepAliveMs }) => busyUntilMs === undefined && Number.isFinite(keepAliveMs))
      .sort((a, b) => a.keepAliveMs - b.keepAliveMs);
  }

  #freeVram(): number {
    const used = [...this.#runners.values()].reduce((sum, { sizeVramBytes }) => sum + sizeVramBytes, 0);
    return this.#vramBytes - used;
  }
}
