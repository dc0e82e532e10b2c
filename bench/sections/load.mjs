/** Scrapes a second, latency and CPU time per scrape, by number of models and connections. */
import { FLOOR, named, WITH_OWN_METRICS, whileRunning } from '../contestants.mjs';
import { figuresOf, MIB } from '../figures.mjs';
import { rssBytes } from '../proc.mjs';
import { cellName } from '../runs.mjs';

/**
 * The rounds are the outermost loop, so that a noisy minute of the machine falls on one round of several figures, not
 * on all rounds of one.
 *
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../progress.mjs').Progress} progress
 */
export async function measureLoad(bench, progress) {
  const { cells, rounds } = bench.settings;
  await warmUpLoad(bench);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, cell] of cells.entries()) {
      progress(round * cells.length + index, rounds * cells.length, cellName(cell));
      await measureCell(bench, cell, round);
    }
  }
}

/**
 * Or else the first contestant would be measured by a load generator and an Ollama that are still cold.
 *
 * @param {import('../bench.mjs').Bench} bench
 */
async function warmUpLoad(bench) {
  const conditions = await bench.serve({ models: 10, mode: 'unchanged' });
  await whileRunning(named(bench.contestants, FLOOR), conditions, ({ url }) =>
    bench.load({ urls: [url], connections: 16, warmUpSeconds: 0, seconds: 2, pids: [] }),
  );
}

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../settings.mjs').Cell} cell
 * @param {number} round
 */
async function measureCell(bench, cell, round) {
  const { models, mode, connections } = cell;
  const { warmUpScrapes, warmUpSeconds, seconds, extent } = bench.settings;
  const conditions = await bench.serve({ models, mode });
  // The exporter's own metrics cost the same everywhere: one row shows it, and saves minutes.
  const all = extent === 'long' || (models === 10 && connections === 1);
  for (const contestant of bench.contestants.filter(({ name }) => all || name !== WITH_OWN_METRICS)) {
    const figures = await whileRunning(contestant, conditions, async ({ url, pid }) => {
      const pids = pid === undefined ? [bench.ollamaPid] : [bench.ollamaPid, pid];
      const times = { warmUpScrapes, warmUpSeconds, seconds };
      const report = await bench.load({ urls: [url], connections, ...times, pids });
      return { ...figuresOf(report), ...(pid !== undefined && { rssMiB: rssBytes(pid) / MIB }) };
    });
    bench.record({ section: 'load', cell: cellName(cell), contestant: contestant.name, round, figures });
  }
}
