/** How late the machine makes us: what a measured time can't be blamed on the exporter for. */
import { readFileSync } from 'node:fs';
import { now } from './clock.ts';

const TICK_MS = 10;
/** Longer than any answer takes. */
const KEPT_MS = 20_000;

/** @returns how late this process was since a moment, all in all, in milliseconds */
export function measureOwnLag(): (since: number) => number {
  const late: { readonly at: number; readonly ms: number }[] = [];
  let last = now();
  setInterval(() => {
    const at = now();
    if (at - last > 2 * TICK_MS) {
      late.push({ at, ms: at - last - TICK_MS });
    }
    last = at;
    while ((late[0]?.at ?? at) < at - KEPT_MS) {
      late.shift();
    }
  }, TICK_MS);
  return (since) =>
    late
      .filter(({ at }) => at >= since)
      .reduce((sum, { ms }) => sum + ms, Math.max(now() - last - TICK_MS, 0));
}

/**
 * How long a process has waited for a processor, all in all, in milliseconds: the second figure of its main thread
 * (https://docs.kernel.org/scheduler/sched-stats.html). 0 where the kernel doesn't tell.
 */
export function waitedForProcessor(pid: number): number {
  try {
    const [, waited] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ');
    return Number(waited) / 1e6;
  } catch {
    return 0;
  }
}
