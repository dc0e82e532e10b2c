/** Section load: scrapes per second, CPU per scrape and latency, by number of models and connections. */

const CELLS = /** @type {const} */ ([
  { models: 10, connections: 1, mode: 'unchanged' },
  { models: 10, connections: 16, mode: 'unchanged' },
  { models: 10, connections: 256, mode: 'unchanged' },
  { models: 10, connections: 1, mode: 'changing' },
  { models: 1_000, connections: 1, mode: 'changing' },
]);

/** @param {import('./run.mjs').Bench} bench */
export async function measureLoad(bench) {
  // The outer loop, so that a busy minute of the machine affects one round of every cell.
  for (let round = 0; round < bench.settings.rounds; round += 1) {
    for (const cell of CELLS) {
      await measureCell(bench, cell, round);
    }
  }
}

/**
 * @param {import('./run.mjs').Bench} bench
 * @param {(typeof CELLS)[number]} cell
 * @param {number} round
 */
async function measureCell({ settings, serve, load, progress, record }, cell, round) {
  const { models, connections, mode } = cell;
  const title = `${models} models, ${connections} connection${connections === 1 ? '' : 's'}, ${mode}`;
  progress(`round ${round + 1} of ${settings.rounds}: ${title}`);
  const ollama = await serve({ models, mode });
  for (const { name, expected, whileRunning } of settings.contestants) {
    const outcome = await whileRunning(ollama, models, async ({ url, pid }) => {
      const job = { url, pid, expected, connections };
      // By scrapes, because Node.js compiles code that has run often enough.
      await load({ ...job, seconds: settings.warmUpSeconds, scrapes: settings.warmUpScrapes });
      return load({ ...job, seconds: settings.seconds });
    });
    record(title, name, {
      perSecond: outcome.good / outcome.seconds,
      cpuMs: (outcome.cpuSeconds * 1_000) / outcome.good,
      p99Ms: outcome.p99Ms,
      bad: outcome.bad,
      generatorShare: (outcome.ownCpuSeconds * 100) / outcome.seconds,
    });
  }
}
