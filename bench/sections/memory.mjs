/** Whether memory grows: its course over many scrapes, one after the other. */
import { whileRunning } from '../contestants.mjs';
import { MIB } from '../figures.mjs';
import { median } from '../statistics.mjs';

export const MEMORY_CELL = '10 models, after 100,000 scrapes';

/** Should one be so slow that it never comes to an end. */
const MOST_SECONDS = 1_200;

const SAMPLES = 100;

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../progress.mjs').Progress} progress
 */
export async function measureMemory(bench, progress) {
  const { scrapesForMemory: scrapes } = bench.settings;
  const conditions = await bench.serve({ models: 10, mode: 'changing' });
  const contestants = bench.contestants.filter(({ ours }) => ours);
  for (const [index, contestant] of contestants.entries()) {
    progress(index, contestants.length, contestant.name);
    await whileRunning(contestant, conditions, async ({ url, pid = 0 }) => {
      const { rss } = await bench.load({
        urls: [url],
        warmUpSeconds: 0,
        seconds: MOST_SECONDS,
        scrapes,
        sampleEvery: scrapes / SAMPLES,
        pids: [pid],
      });
      const tenth = (/** @type {number} */ n) =>
        median(rss.slice((n - 1) * (SAMPLES / 10), n * (SAMPLES / 10)));
      // Medians, since memory goes up and down between collections.
      const figures = { rssMiB: tenth(10) / MIB, growth: tenth(10) / tenth(6) };
      bench.record({ section: 'memory', cell: MEMORY_CELL, contestant: contestant.name, round: 0, figures });
    });
  }
}
