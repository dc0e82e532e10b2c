/**
 * A thread: clients of the exporter. Posts a `Scraped` for each scrape, and ends when all have ended.
 * Arguments: process id and port of the exporter, seed, concurrent scrapes; or 0, scrapes per second next to
 * misbehaving clients, end time.
 */
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { request } from 'undici';
import { randomNumbers } from '../../src/demo/workload.ts';
import { type Scraped, TIMEOUT_SECONDS } from './faults.ts';
import { judge, now, sleepUntil } from './states.ts';

const [pid, port = 0, seed = 0, storm = 0, steady = 0, until = 0] = process.argv.slice(2).map(Number);
const random = randomNumbers(seed);
const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];

const TICK_MS = 10;
let lostMs = 0;
let lastTick = now();
const overdueMs = () => Math.max(0, now() - lastTick - 2 * TICK_MS);
const tick = () => {
  lostMs += overdueMs();
  lastTick = now();
};
setInterval(tick, TICK_MS).unref();

/**
 * Delays of the machine up to now: how late this thread was, and how long the exporter's main thread waited for a
 * processor (https://docs.kernel.org/scheduler/sched-stats.html).
 */
function delaysMs(): number {
  const file = `/proc/${pid}/schedstat`;
  const [, waitedNs = 0] = existsSync(file) ? readFileSync(file, 'latin1').split(' ') : [];
  return lostMs + overdueMs() + Number(waitedNs) / 1e6;
}

const NEVER_MS = 30_000;
/** Of scrapes. */
const NEW_CONNECTIONS = 0.2;

async function scrape(): Promise<void> {
  const start = now();
  const delays = delaysMs();
  let status = 0;
  let text = '';
  try {
    const response = await request(`http://127.0.0.1:${port}/metrics`, {
      headers: { 'x-prometheus-scrape-timeout-seconds': String(TIMEOUT_SECONDS) },
      signal: AbortSignal.timeout(NEVER_MS),
      reset: random() < NEW_CONNECTIONS,
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (error) {
    text = String(error);
  }
  const end = now();
  const lagMs = delaysMs() - delays;
  parentPort?.postMessage({ start, end, lagMs, ...judge(status, text, start, end) } satisfies Scraped);
}

/** Per scrape. */
const MISBEHAVING = 0.25;
const HOLD_MS = 2_000;
const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n';
const SENT = ['', REQUEST.slice(0, 20), REQUEST.slice(0, -2), REQUEST, REQUEST.repeat(3)];
const THEN: ReadonlyArray<(socket: Socket) => unknown> = [
  // Neither reads nor ends.
  () => {},
  (socket) => setTimeout(() => socket.resume(), HOLD_MS / 2),
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.once('data', () => socket.resetAndDestroy()),
];

function misbehave(): void {
  const socket = connect(port, '127.0.0.1', () => socket.write(pick(SENT) ?? '', () => pick(THEN)?.(socket)));
  socket.on('error', () => {});
  setTimeout(() => socket.destroy(), HOLD_MS);
}

if (storm > 0) {
  await Promise.all(Array.from({ length: storm }, scrape));
} else {
  for (let at = now(); at < until; at += 1_000 / steady) {
    await sleepUntil(at);
    void scrape();
    if (random() < MISBEHAVING) {
      misbehave();
    }
  }
}
