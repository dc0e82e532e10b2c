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
 * @property {number | undefined} [pid] the process whose CPU time is wanted
 *
 * @typedef {Awaited<ReturnType<typeof run>>} Outcome
 */

/** @param {Job} job */
async function run({ url, expected, seconds, scrapes, connections = 1, pid }) {
  let good = 0;
  const onResponse = (/** @type {number} */ status, /** @type {string} */ body) => {
    good += status === 200 && body.includes(expected) ? 1 : 0;
  };
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
    requests: [{ onResponse }],
    ...(scrapes && { maxOverallRequests: scrapes }),
  };
  const instance = autocannon(options, () => {});
  // autocannon's own histogram rounds to whole milliseconds.
  instance.on('response', (_client, _status, _bytes, milliseconds) => void latencies.push(milliseconds));
  /** @type {autocannon.Result[]} */
  const [result] = await once(instance, 'done');
  const responses = latencies.length;
  const own = process.cpuUsage(ownBefore);
  // Requests running at the end don't count.
  const lost = (result?.requests.sent ?? 0) - responses - connections;
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
