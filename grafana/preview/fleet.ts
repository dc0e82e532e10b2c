/** Simulated servers for the preview: the result of a scrape at any time of the hour. */
import { psBody } from '../../src/demo/api.ts';
import {
  type CatalogModel,
  EMBEDDING_MODEL,
  GEMMA,
  GIB,
  GPT_OSS,
  LARGE_MODEL,
  LLAMA,
  MISTRAL,
  QWEN,
} from '../../src/demo/catalog.ts';
import { type LoadedModel, Scheduler } from '../../src/demo/scheduler.ts';
import { DEMO_MACHINE, simulate } from '../../src/demo/simulation.ts';
import { randomNumbers } from '../../src/demo/workload.ts';
import { ApiError, type FailureReason } from '../../src/ollama/errors.ts';
import { parseRunningModels } from '../../src/ollama/models.ts';
import type { Capacity, Snapshot } from '../../src/scrape/snapshot.ts';
import { simulateWork, type WorkSamples } from './work.ts';

export interface Server {
  readonly job: string;
  readonly instance: string;
  /** Times, in Unix milliseconds, must not decrease; undefined if the exporter can't be scraped. */
  readonly scrape: (nowMs: number) => Snapshot | undefined;
  /** The additional series of `--collector.runners` and the proxy. */
  readonly work: (snapshot: Snapshot | undefined) => WorkSamples;
}

const MINUTE_MS = 60_000;
const FOREVER = Number.POSITIVE_INFINITY;

interface Load {
  readonly models: readonly CatalogModel[];
  /** Mean time between requests. */
  readonly everyMs: number;
  readonly keepAliveMs: number;
  readonly pinned?: readonly CatalogModel[];
  readonly vramBytes?: number;
}

/** Requests for one of the models, at random times. */
function serve(
  seed: number,
  { models, everyMs, keepAliveMs, pinned = [], vramBytes }: Load,
  startMs: number,
) {
  const random = randomNumbers(seed);
  const scheduler = new Scheduler(vramBytes ?? DEMO_MACHINE.vramBytes);
  for (const model of pinned) {
    scheduler.request({ model, durationMs: 500, keepAliveMs: FOREVER }, startMs);
  }
  let nextMs = startMs;
  return (nowMs: number): readonly LoadedModel[] => {
    for (; nextMs <= nowMs; nextMs += everyMs * (0.3 + 1.4 * random())) {
      const model = models[Math.floor(random() * models.length)];
      if (model !== undefined) {
        scheduler.request({ model, durationMs: 2_000 + random() * 20_000, keepAliveMs }, nextMs);
      }
    }
    return scheduler.loaded(nowMs);
  };
}

/** Typical uses of servers: each fits, with room to spare. */
const LOADS: readonly Load[] = [
  { models: [LLAMA], everyMs: 40_000, keepAliveMs: 5 * MINUTE_MS, pinned: [EMBEDDING_MODEL] },
  { models: [GPT_OSS, QWEN], everyMs: 90_000, keepAliveMs: 5 * MINUTE_MS },
  { models: [GEMMA], everyMs: 400_000, keepAliveMs: 5 * MINUTE_MS },
  { models: [QWEN], everyMs: 200_000, keepAliveMs: 10 * MINUTE_MS, pinned: [LLAMA] },
  {
    models: [LLAMA, MISTRAL, GPT_OSS],
    everyMs: 120_000,
    keepAliveMs: 5 * MINUTE_MS,
    vramBytes: 48 * GIB,
  },
];

/** Overloaded servers in each twenty, by number. */
const OVERLOADS: Readonly<Record<number, Load>> = {
  2: { models: [GPT_OSS], everyMs: 100_000, keepAliveMs: 10 * MINUTE_MS, pinned: [LLAMA] },
  8: { models: [QWEN], everyMs: 60_000, keepAliveMs: 5 * MINUTE_MS, pinned: [GPT_OSS, GEMMA] },
  13: { models: [], everyMs: MINUTE_MS, keepAliveMs: 0, pinned: [LARGE_MODEL] },
};
/** The one with the load of the demo, which swaps models all the time. */
const SWAPPING = 3;

interface Problem {
  /** Minutes before the end. */
  readonly since: number;
  readonly until: number;
  /** undefined: Prometheus can't scrape the exporter. */
  readonly reason: FailureReason | undefined;
  /** Only /api/ps fails. */
  readonly psOnly?: boolean;
}

const PROBLEMS: Readonly<Record<number, Problem>> = {
  7: { since: 40, until: 31, reason: 'timeout', psOnly: true },
  11: { since: 9, until: -1, reason: 'refused' },
  15: { since: 24, until: 22, reason: 'reset' },
  17: { since: 4, until: -1, reason: undefined },
};
/** The one that is upgraded while it is down. */
const UPGRADED = 15;
const OLD_VERSION = '0.32.3';
const VERSION = '0.33.0';

/** One server under the load of `--demo`. */
export function oneServer(startMs: number, endMs: number): readonly Server[] {
  return [server('localhost:10434', DEMO_MACHINE, endMs, simulate(7, startMs), () => VERSION)];
}

/** Most are healthy, one is down, one is not scraped, one had a hanging runner, one was upgraded, some are full. */
export function manyServers(count: number, startMs: number, endMs: number): readonly Server[] {
  return Array.from({ length: count }, (_, index) => {
    const ofTwenty = index % 20;
    const load = OVERLOADS[ofTwenty] ??
      LOADS[index % LOADS.length] ?? { models: [], everyMs: 1, keepAliveMs: 0 };
    const loaded = ofTwenty === SWAPPING ? simulate(index, startMs) : serve(index, load, startMs);
    const problem = PROBLEMS[ofTwenty];
    const isOld = (before: number) => (ofTwenty === UPGRADED ? before > 23 : index % 5 === 2);
    return server(
      `gpu-${String(index + 1).padStart(String(count).length, '0')}:11434`,
      { ...DEMO_MACHINE, vramBytes: load.vramBytes ?? DEMO_MACHINE.vramBytes },
      endMs,
      loaded,
      (before) => (isOld(before) ? OLD_VERSION : VERSION),
      problem,
    );
  });
}

/** @param version by the minutes before the end */
function server(
  instance: string,
  capacity: Capacity,
  endMs: number,
  loaded: (nowMs: number) => readonly LoadedModel[],
  version: (minutesBefore: number) => string,
  problem?: Problem,
): Server {
  const random = randomNumbers(instance.length);
  const scrape = (nowMs: number): Snapshot | undefined => {
    const before = (endMs - nowMs) / MINUTE_MS;
    const isNow = problem !== undefined && before <= problem.since && before > problem.until;
    if (isNow && problem.reason === undefined) {
      return undefined;
    }
    const failed = isNow ? failure(problem.reason) : undefined;
    const seconds = 0.0015 + random() * 0.003;
    const models = parseRunningModels(JSON.parse(psBody(loaded(nowMs))));
    return {
      capacity,
      ps: failed ?? { ok: true, seconds, value: { ...models, nowMs } },
      version: (problem?.psOnly ? undefined : failed) ?? {
        ok: true,
        seconds: seconds / 2,
        value: version(before),
      },
    };
  };
  return { job: 'ollama', instance, scrape, work: simulateWork(Number(/\d+/.exec(instance))) };
}

function failure(reason: FailureReason = 'refused') {
  return {
    ok: false,
    seconds: reason === 'timeout' ? 9.5 : 0.002,
    error: new ApiError(reason, 'simulated'),
  } as const;
}
