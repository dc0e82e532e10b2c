/** What gzip costs and saves, by size of the answer. */
import { EXPORTER, named, whileRunning } from '../contestants.mjs';
import { figuresOf } from '../figures.mjs';
import { count } from '../runs.mjs';

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../progress.mjs').Progress} progress
 */
export async function measureGzip(bench, progress) {
  const { rounds, warmUpScrapes, warmUpSeconds, seconds } = bench.settings;
  const times = { warmUpScrapes, warmUpSeconds, seconds };
  const exporter = named(bench.contestants, EXPORTER);
  const turns = Array.from({ length: Math.min(2, rounds) }, (_, round) =>
    [10, 100, 1_000].map((models) => ({ round, models })),
  ).flat();
  for (const [index, { round, models }] of turns.entries()) {
    const cell = count(models, 'model');
    progress(index, turns.length, cell);
    const conditions = await bench.serve({ models, mode: 'unchanged' });
    const measure = (/** @type {boolean} */ gzip) =>
      whileRunning(exporter, conditions, async ({ url, pid = 0 }) =>
        figuresOf(await bench.load({ urls: [url], gzip, ...times, pids: [bench.ollamaPid, pid] })),
      );
    // Each in a process of its own, so that neither finds the code warmer.
    const { cpuMs = 0, bytes = 0 } = await measure(false);
    const { cpuMs: cpuGzipMs = 0, bytes: gzipBytes = 0 } = await measure(true);
    const figures = { cpuMs, cpuGzipMs, gzipCost: cpuGzipMs / cpuMs, bytes, gzipBytes };
    bench.record({ section: 'gzip', cell, contestant: EXPORTER, round, figures });
  }
}
