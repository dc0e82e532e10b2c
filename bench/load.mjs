/** The load: a job as a line of JSON on stdin, its report as one on stdout. */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, Client } from 'undici';
import { sendScrape } from './scrape.mjs';
import { Tally } from './tally.mjs';

/**
 * With `rate`, scrapes start by the clock, the URLs in turn, and their latency counts from when they were due; else
 * each connection sends the next scrape when its last answer is complete, all to the first URL.
 *
 * @typedef {object} Job
 * @property {readonly string[]} urls
 * @property {number} [connections]
 * @property {number} [rate] scrapes a second
 * @property {number} warmUpSeconds most time to pass before anything is measured
 * @property {number} [warmUpScrapes] good ones, after which to measure before that
 * @property {number} seconds most time to measure
 * @property {number} [scrapes] good ones, after which to end before that
 * @property {boolean} [gzip]
 * @property {readonly number[]} pids processes whose CPU time is wanted
 * @property {number} [sampleEvery] so many scrapes, the memory of the first of them is noted
 */

/** Timers have a millisecond's grain. */
const CLOCK_MS = 2;

/** @typedef {(outcome: import('./scrape.mjs').Outcome, latency: number) => void} OnScrape */

/**
 * @param {Job} job
 * @param {OnScrape} onScrape
 * @returns {() => void} ends it
 */
function byConnections({ urls: [first = ''], connections = 1, gzip = false }, onScrape) {
  const url = new URL(first);
  const clients = Array.from({ length: connections }, () => new Client(url.origin, { pipelining: 1 }));
  let over = false;
  for (const client of clients) {
    const next = () => {
      const sent = performance.now();
      sendScrape(client, url, gzip, (outcome) => {
        if (!over) {
          onScrape(outcome, performance.now() - sent);
          next();
        }
      });
    };
    next();
  }
  return () => {
    over = true;
    for (const client of clients) {
      void client.destroy();
    }
  };
}

/**
 * @param {Job} job
 * @param {number} rate
 * @param {OnScrape} onScrape
 * @returns {() => void} ends it
 */
function byClock({ urls, gzip = false }, rate, onScrape) {
  const targets = urls.map((url) => new URL(url));
  const agent = new Agent();
  const start = performance.now();
  let turn = 0;
  const clock = setInterval(() => {
    const now = performance.now();
    for (let due = start + (turn * 1_000) / rate; due <= now; due = start + (turn * 1_000) / rate) {
      const target = targets[turn % targets.length];
      turn += 1;
      target && sendScrape(agent, target, gzip, (outcome) => onScrape(outcome, performance.now() - due));
    }
  }, CLOCK_MS);
  return () => {
    clearInterval(clock);
    void agent.destroy();
  };
}

/**
 * @param {Job} job
 * @returns {Promise<import('./tally.mjs').Report>}
 */
async function run(job) {
  const { rate, pids, sampleEvery = 0 } = job;
  let tally = new Tally([], 0);
  let wanted = 0;
  let enough = () => {};
  /** @type {OnScrape} */
  const onScrape = (outcome, latency) => {
    if (tally.add(outcome, latency) >= wanted) {
      enough();
    }
  };
  const until = (/** @type {number} */ seconds, scrapes = Number.POSITIVE_INFINITY) => {
    const counted = new Promise((resolve) => {
      wanted = scrapes;
      enough = () => resolve(undefined);
    });
    return Promise.race([counted, sleep(seconds * 1_000)]);
  };
  const end = rate === undefined ? byConnections(job, onScrape) : byClock(job, rate, onScrape);
  await until(job.warmUpSeconds, job.warmUpScrapes);
  tally = new Tally(pids, sampleEvery);
  await until(job.seconds, job.scrapes);
  const report = tally.report();
  end();
  return report;
}

for await (const line of createInterface(process.stdin)) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
}
// Whoever gave the jobs is gone; a timer may still run.
process.exit();
