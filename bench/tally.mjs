/** Counts what comes of scrapes, and what they cost, from one moment to another. */
import { cpuSeconds, rssBytes } from './proc.mjs';
import { percentile } from './statistics.mjs';

/**
 * @typedef {object} Report
 * @property {number} seconds
 * @property {number} scrapes good ones
 * @property {Record<string, number>} others by what came of them
 * @property {number | null} p50 milliseconds
 * @property {number | null} p99
 * @property {number} bytes of the last body
 * @property {number[]} cpuSeconds of each of the pids, in their order
 * @property {number} loadCpuSeconds
 * @property {number[]} rss of the first of the pids
 */

export class Tally {
  /** @type {number[]} */
  #latencies = [];
  /** @type {Record<string, number>} */
  #others = {};
  /** @type {number[]} */
  #rss = [];
  #bytes = 0;
  #start = performance.now();
  #own = process.cpuUsage();
  #pids;
  #sampleEvery;
  #cpu;

  /**
   * @param {readonly number[]} pids
   * @param {number} sampleEvery so many scrapes the memory is noted; 0 is never
   */
  constructor(pids, sampleEvery) {
    this.#pids = pids;
    this.#sampleEvery = sampleEvery;
    this.#cpu = pids.map(cpuSeconds);
  }

  /**
   * @param {import('./scrape.mjs').Outcome} outcome
   * @param {number} latency milliseconds
   * @returns {number} good ones until now
   */
  add({ kind, bytes }, latency) {
    if (kind !== 'good') {
      this.#others[kind] = (this.#others[kind] ?? 0) + 1;
      return this.#latencies.length;
    }
    this.#bytes = bytes;
    const count = this.#latencies.push(latency);
    const [pid] = this.#pids;
    if (pid !== undefined && this.#sampleEvery > 0 && count % this.#sampleEvery === 0) {
      this.#rss.push(rssBytes(pid));
    }
    return count;
  }

  /** @returns {Report} */
  report() {
    const { user, system } = process.cpuUsage(this.#own);
    const none = this.#latencies.length === 0;
    return {
      seconds: (performance.now() - this.#start) / 1_000,
      scrapes: this.#latencies.length,
      others: this.#others,
      p50: none ? null : percentile(this.#latencies, 0.5),
      p99: none ? null : percentile(this.#latencies, 0.99),
      bytes: this.#bytes,
      cpuSeconds: this.#pids.map((pid, index) => cpuSeconds(pid) - (this.#cpu[index] ?? 0)),
      loadCpuSeconds: (user + system) / 1e6,
      rss: this.#rss,
    };
  }
}
