/** The load generator: autocannon, in a separate process. A message is a job, the reply its outcome. */
import { once } from 'node:events';
import autocannon from 'autocannon';
import { cpuSeconds } from './processes.mjs';

/**
 * @typedef {object} Job
 * @property {string} url
 * @property {string} expected text that every good response contains
 * @property {number} seconds at most
 * @property {number} [scrapes] at most
 * @property {number} [connections]
 * @property {readonly string[]} [paths] to scrape in turn instead of the path of the URL
 * @property {number} [rate] scrapes a second; without it, each connection sends the next request at once
 * @property {number | undefined} [pid] the process whose CPU time is wanted
 *
 * @typedef {Awaited<ReturnType<typeof run>>} Outcome
 */

/** @param {Job} job */
async function run({ url, expected, seconds, scrapes, connections = 1, paths, rate, pid }) {
  let good = 0;
  const onResponse = (/** @type {number} */ status, /** @type {string} */ body) => {
    good += status === 200 && body.includes(expected) ? 1 : 0;
  };
  const requests = (paths ?? [new URL(url).pathname]).map((path) => ({ path, onResponse }));
  let clients = 0;
  /** @type {number[]} */
  const latencies = [];
  const processCpu = () => (pid === undefined ? Number.NaN : cpuSeconds(pid));
  const cpuBefore = processCpu();
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  const options = {
    url,
    connections,
    duration: seconds,
    // Interval in milliseconds for checking whether to stop.
    sampleInt: 10,
    setupClient: (/** @type {autocannon.Client} */ client) => {
      const own = paths === undefined ? 0 : clients++;
      client.setRequests(requests.filter((_, index) => index % connections === own));
    },
    ...(scrapes && { maxOverallRequests: scrapes }),
    ...(rate && { overallRate: rate }),
  };
  const instance = autocannon(options, () => {});
  // autocannon's own histogram rounds to whole milliseconds.
  instance.on('response', (_client, _status, _bytes, milliseconds) => void latencies.push(milliseconds));
  /** @type {autocannon.Result[]} */
  const [result] = await once(instance, 'done');
  const responses = latencies.length;
  const own = process.cpuUsage(ownBefore);
  // With a rate, the number of requests includes some that were not sent. Requests running at the end don't count.
  const lost = rate ? 0 : (result?.requests.sent ?? 0) - responses - connections;
  return {
    seconds: (performance.now() - start) / 1_000,
    good,
    bad: responses - good + Math.max(result?.errors ?? 0, lost),
    p99Ms: latencies.sort((a, b) => a - b)[Math.floor(responses * 0.99)] ?? Number.NaN,
    cpuSeconds: processCpu() - cpuBefore,
    ownCpuSeconds: (own.user + own.system) / 1e6,
  };
}

process.on('disconnect', () => process.exit());
process.on('message', async (/** @type {Job} */ job) => {
  process.send?.(await run(job));
});
