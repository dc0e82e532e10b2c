/** Runs a workload on a scheduler, up to a requested time, without timers. */
import { GIB } from './catalog.ts';
import { type LoadedModel, Scheduler } from './scheduler.ts';
import { type Arrival, workload } from './workload.ts';

export const DEMO_MACHINE = { vramBytes: 24 * GIB, memoryBytes: 64 * GIB };

/** Simulated time before the start, so that the first scrape finds models loaded. */
const WARM_UP_MS = 120_000;

/**
 * The requests that clients send after the start, ordered by time.
 *
 * @param startMs Unix milliseconds of the first scrape
 */
export function* arrivalsSince(seed: number, startMs: number): Generator<Arrival> {
  for (const arrival of workload(seed)) {
    const atMs = startMs - WARM_UP_MS + arrival.atMs;
    if (atMs >= startMs) {
      yield { ...arrival, atMs };
    }
  }
}

/**
 * @param seed the same seed and times give the same models
 * @param startMs Unix milliseconds of the first scrape
 * @returns the models loaded at a time; times must not decrease
 */
export function simulate(seed: number, startMs: number): (nowMs: number) => readonly LoadedModel[] {
  const scheduler = new Scheduler(DEMO_MACHINE.vramBytes);
  const arrivals = workload(seed);
  const beginMs = startMs - WARM_UP_MS;
  let next = arrivals.next().value;
  return (nowMs) => {
    while (beginMs + next.atMs <= nowMs) {
      scheduler.request(next, beginMs + next.atMs);
      next = arrivals.next().value;
    }
    return scheduler.loaded(nowMs);
  };
}
