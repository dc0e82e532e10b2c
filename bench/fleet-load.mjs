/** The load of a fleet, in a separate process: scrapes at even intervals, as Prometheus sends them. */
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { cpuSeconds } from './processes.mjs';

/**
 * @typedef {object} Job
 * @property {string} url
 * @property {readonly string[]} paths to scrape in turn
 * @property {string} expected text that every good response contains
 * @property {number} perSecond
 * @property {number} seconds
 * @property {number} pid the process whose CPU time is wanted
 *
 * @typedef {Awaited<ReturnType<typeof run>>} Outcome
 */

const agent = new Agent({ keepAlive: true });

/** @type {(url: URL, expected: string) => Promise<boolean>} whether the response is good */
async function scrape(url, expected) {
  const request = get(url, { agent, headers: { 'accept-encoding': 'gzip' } });
  /** @type {import('node:http').IncomingMessage[]} */
  const [response] = await once(request, 'response');
  const chunks = (await response?.toArray()) ?? [];
  const text = await promisify(gunzip)(Buffer.concat(chunks));
  return response?.statusCode === 200 && text.includes(expected);
}

/** @param {Job} job */
async function run({ url, paths, expected, perSecond, seconds, pid }) {
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  let waiting = 0;
  let mostAtOnce = 0;
  /** @type {Promise<boolean>[]} */
  const scrapes = [];
  for (let passed = 0; passed < seconds; passed = (performance.now() - start) / 1_000) {
    while (scrapes.length <= passed * perSecond) {
      waiting += 1;
      mostAtOnce = Math.max(mostAtOnce, waiting);
      const path = paths[scrapes.length % paths.length] ?? '';
      const good = scrape(new URL(path, url), expected).catch(() => false);
      scrapes.push(good.finally(() => (waiting -= 1)));
    }
    await sleep(1);
  }
  const bad = (await Promise.all(scrapes)).filter((good) => !good).length;
  const elapsed = (performance.now() - start) / 1_000;
  return { bad, mostAtOnce, cpuShare: ((cpuSeconds(pid) - cpuBefore) * 100) / elapsed };
}

process.on('disconnect', () => process.exit());
process.on('message', async (/** @type {Job} */ job) => {
  process.send?.(await run(job));
});
