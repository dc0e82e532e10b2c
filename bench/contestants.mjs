/** Whom the bench compares, and how each is started and stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { startServer } from './children.mjs';

/**
 * @typedef {object} Running
 * @property {string} url to scrape
 * @property {number | undefined} pid undefined where it isn't known, so that neither CPU nor memory can be told
 * @property {number} startMs from being spawned to the first good scrape
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} Conditions
 * @property {string} ollama its URL
 * @property {number} bytes about as many as the exporter answers
 * @property {string} [configFile]
 *
 * @typedef {object} Contestant
 * @property {string} name
 * @property {boolean} ours whether it is started by the bench
 * @property {(conditions: Conditions) => Promise<Running>} start
 */

export const FLOOR = 'floor';
export const EXPORTER = 'exporter';
export const WITH_OWN_METRICS = 'exporter+own';

const PATIENCE_MS = 10_000;

/** @type {(floorScript: string) => readonly Contestant[]} */
export const ownContestants = (floorScript) => [
  spawned(FLOOR, ({ ollama, bytes }) => [floorScript, ollama, String(bytes)]),
  spawned(EXPORTER, (conditions) => [...exporter(conditions), '--web.disable-exporter-metrics']),
  spawned(WITH_OWN_METRICS, exporter),
];

/** @param {Conditions} conditions */
function exporter({ ollama, configFile }) {
  const config = configFile === undefined ? [] : [`--config.file=${configFile}`];
  return ['dist/main.js', `--ollama.url=${ollama}`, '--web.listen-address=127.0.0.1:0', ...config];
}

/**
 * @param {string} name
 * @param {(conditions: Conditions) => string[]} command
 * @returns {Contestant}
 */
function spawned(name, command) {
  const start = async (/** @type {Conditions} */ conditions) => {
    const start = performance.now();
    const { pid, origin, stop } = await startServer(command(conditions));
    const url = `${origin}/metrics`;
    try {
      await firstGoodScrape(url);
    } catch (error) {
      await stop();
      throw error;
    }
    return { url, pid, startMs: performance.now() - start, stop };
  };
  return { name, ours: true, start };
}

/**
 * One that somebody else has started, with the simulated Ollama as its server.
 *
 * @param {string} name
 * @param {string} url
 * @param {number | undefined} pid
 * @returns {Contestant}
 */
export function other(name, url, pid) {
  const start = async () => {
    await firstGoodScrape(url);
    return { url, pid, startMs: Number.NaN, stop: async () => {} };
  };
  return { name, ours: false, start };
}

/**
 * @param {string} url
 * @returns {Promise<string>} the answer
 */
export async function firstGoodScrape(url) {
  const giveUp = performance.now() + PATIENCE_MS;
  for (let seen = ''; performance.now() < giveUp; await sleep(10)) {
    const { statusCode, body } = await request(url, { reset: true });
    seen = await body.text();
    if (statusCode === 200 && seen.endsWith('\n')) {
      return seen;
    }
  }
  throw new Error(`no good answer from ${url} within ${PATIENCE_MS / 1_000} s`);
}

/**
 * @template T
 * @param {Contestant} contestant
 * @param {Conditions} conditions
 * @param {(running: Running) => Promise<T>} work
 */
export async function whileRunning(contestant, conditions, work) {
  const running = await contestant.start(conditions);
  try {
    return await work(running);
  } finally {
    await running.stop();
  }
}

/**
 * @param {readonly Contestant[]} contestants
 * @param {string} wanted
 */
export function named(contestants, wanted) {
  const contestant = contestants.find(({ name }) => name === wanted);
  if (contestant === undefined) {
    throw new Error(`there is no contestant ${wanted}`);
  }
  return contestant;
}
