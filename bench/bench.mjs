/** What every section of the bench works with: the simulated Ollama, the load, and the record of what was found. */
import { startWorker } from './children.mjs';
import { EXPORTER, firstGoodScrape, named, other, ownContestants, whileRunning } from './contestants.mjs';

/**
 * @typedef {object} Bench
 * @property {import('./settings.mjs').Settings} settings
 * @property {readonly import('./contestants.mjs').Contestant[]} contestants
 * @property {import('./runs.mjs').Run[]} runs
 * @property {(run: import('./runs.mjs').Run) => void} record
 * @property {(orders: import('./ollama.mjs').Orders) => Promise<import('./contestants.mjs').Conditions>} serve
 *   from then on Ollama answers so
 * @property {(job: import('./load.mjs').Job) => Promise<import('./tally.mjs').Report>} load
 * @property {number} ollamaPid
 * @property {() => void} end
 */

/**
 * @param {import('./settings.mjs').Settings} settings
 * @param {string} floorScript
 * @returns {Promise<Bench>}
 */
export async function openBench(settings, floorScript) {
  const ollama = startWorker('ollama.mjs', [String(settings.ollamaPort)]);
  const port = Number(await ollama.nextLine());
  const generator = startWorker('load.mjs');
  const contestants = [
    ...ownContestants(floorScript),
    ...settings.others.map(({ name, url, pid }) => other(name, url, pid)),
  ];
  /** @type {Map<number, number>} */
  const bytes = new Map();
  /** @type {import('./runs.mjs').Run[]} */
  const runs = [];
  return {
    settings,
    contestants,
    runs,
    record: (run) => void runs.push(run),
    serve: async (orders) => {
      await ollama.ask(orders);
      const url = `http://127.0.0.1:${port}`;
      const known = bytes.get(orders.models) ?? (await bytesOfAnswer(contestants, url, orders.models));
      bytes.set(orders.models, known);
      return { ollama: url, bytes: known };
    },
    load: async (job) => JSON.parse(await generator.ask(job)),
    ollamaPid: ollama.pid,
    end: () => {
      ollama.end();
      generator.end();
    },
  };
}

/**
 * @param {readonly import('./contestants.mjs').Contestant[]} contestants
 * @param {string} ollama
 * @param {number} models
 */
async function bytesOfAnswer(contestants, ollama, models) {
  const text = await whileRunning(named(contestants, EXPORTER), { ollama, bytes: 1 }, ({ url }) =>
    firstGoodScrape(url),
  );
  if (!text.includes(`\nollama_loaded_models ${models}\n`)) {
    throw new Error(`the exporter does not show ${models} models:\n${text.slice(0, 2_000)}`);
  }
  return Buffer.byteLength(text);
}
