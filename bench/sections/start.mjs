/** Time to the first good scrape, memory at rest, and time to exit. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../figures.mjs';
import { rssBytes } from '../proc.mjs';

export const START_CELL = '10 models';

/** For what is left over from the start to settle. */
const REST_MS = 300;

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../progress.mjs').Progress} progress
 */
export async function measureStart(bench, progress) {
  const conditions = await bench.serve({ models: 10, mode: 'unchanged' });
  const { starts } = bench.settings;
  for (let round = 0; round < starts; round += 1) {
    progress(round, starts, 'start and exit');
    for (const { name, start } of bench.contestants.filter(({ ours }) => ours)) {
      const { pid, startMs, stop } = await start(conditions);
      await sleep(REST_MS);
      const rssMiB = rssBytes(pid ?? 0) / MIB;
      const told = performance.now();
      await stop();
      const figures = { startMs, rssMiB, exitMs: performance.now() - told };
      bench.record({ section: 'start', cell: START_CELL, contestant: name, round, figures });
    }
  }
}
