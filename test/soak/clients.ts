/** A process: the clients of the exporter. Argument: `ClientOptions` as JSON. */
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { randomNumbers } from '../../src/demo/workload.ts';
import { parseExposition } from '../exposition.ts';
import { type Answer, TIMEOUT_SECONDS } from './judge.ts';
import { now, stateProblem } from './states.ts';

export interface ClientOptions {
  /** Of the exporter. */
  readonly pid: number;
  readonly port: number;
  readonly seed: number;
  /** Scrapes a second, until a message comes. */
  readonly steady: number;
  /** Scrapes at once; with 0, those that misbehave run beside the steady ones. */
  readonly storm: number;
}

const TICK_MS = 10;
const NEVER_MS = 30_000;
const RUDE_EVERY_MS = 200;
const HOLD_MS = 2_000;

const options: ClientOptions = JSON.parse(process.argv[2] ?? '{}');
const random = randomNumbers(options.seed);

let lostMs = 0;
let lastTick = now();
const overdueMs = () => Math.max(0, now() - lastTick - 2 * TICK_MS);
const ticks = setInterval(() => {
  lostMs += overdueMs();
  lastTick = now();
}, TICK_MS);

/**
 * Delays of the machine up to now: how late this process was, and how long the exporter's main thread waited for a
 * processor (https://docs.kernel.org/scheduler/sched-stats.html).
 */
function delaysMs(): number {
  const file = `/proc/${options.pid}/schedstat`;
  const [, waitedNs] = existsSync(file) ? readFileSync(file, 'latin1').split(' ') : [];
  return lostMs + overdueMs() + Number(waitedNs ?? 0) / 1e6;
}

async function scrape(client: Answer['client']): Promise<Answer> {
  const start = now();
  const delays = delaysMs();
  let status: number | undefined;
  let text = '';
  let cause = '';
  try {
    const response = await request(`http://127.0.0.1:${options.port}/metrics`, {
      headers: { 'x-prometheus-scrape-timeout-seconds': String(TIMEOUT_SECONDS) },
      headersTimeout: NEVER_MS,
      bodyTimeout: NEVER_MS,
      // Some on a new connection.
      reset: random() < 0.2,
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (error) {
    cause = String(error);
  }
  const end = now();
  const times = { client, start, end, lagMs: delaysMs() - delays, readMs: 0 };
  if (cause !== '') {
    return { ...times, kind: status === undefined ? 'none' : 'wrong', note: cause };
  }
  if (status === 503 && text.startsWith('Limit of concurrent requests reached')) {
    return { ...times, kind: 'busy', note: '' };
  }
  return status === 200
    ? { ...times, ...inspect(text, start, end) }
    : { ...times, kind: 'wrong', note: `status ${status}: ${text.slice(0, 200)}` };
}

function inspect(text: string, start: number, end: number): Pick<Answer, 'kind' | 'note' | 'readMs'> {
  try {
    const exposition = parseExposition(text);
    const samples = (name: string) => exposition.get(name)?.samples ?? [];
    // The scrape may share a reading that began before it.
    const readMs = 1_000 * Math.max(...samples('ollama_scrape_duration_seconds').map(({ value }) => value));
    const problem = stateProblem(exposition, start - readMs, end);
    const failures = samples('ollama_scrape_error')
      .filter(({ value }) => value === 1)
      .map(({ labels }) => `${labels['api']} ${labels['reason']}`);
    const kind = problem ? 'wrong' : failures.length > 0 ? 'failed' : 'right';
    return { kind, note: problem ?? failures.join(', '), readMs };
  } catch (error) {
    return { kind: 'wrong', note: `does not parse: ${error}`, readMs: 0 };
  }
}

const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n';

function misbehave(text: string, then: (socket: Socket) => unknown): void {
  const socket = connect(options.port, '127.0.0.1', () => socket.write(text, () => then(socket)));
  socket.on('error', () => {});
  setTimeout(() => socket.destroy(), HOLD_MS);
}

const part = () => REQUEST.slice(0, REQUEST.length * random());

const MISBEHAVIOURS: ReadonlyArray<() => void> = [
  // Half-open: sends nothing, or an incomplete request.
  () => misbehave('', () => {}),
  () => misbehave(REQUEST.slice(0, -2), () => {}),
  // Closes or resets the connection within the request or within the response.
  () => misbehave(part(), (socket) => socket.end()),
  () => misbehave(part(), (socket) => socket.resetAndDestroy()),
  () => misbehave(REQUEST, (socket) => socket.destroy()),
  () => misbehave(REQUEST, (socket) => socket.once('data', () => socket.resetAndDestroy())),
  // Sends three requests and does not read for a second.
  () =>
    misbehave(REQUEST.repeat(3), (socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), HOLD_MS / 2);
    }),
];

/** Resolves once the message is written: what is pending when the process ends is lost. */
function send(answers: readonly Answer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(answers, undefined, undefined, (error) => (error ? reject(error) : resolve()));
  });
}

async function stormOnce(): Promise<void> {
  await send(await Promise.all(Array.from({ length: options.storm }, () => scrape('storm'))));
  clearInterval(ticks);
  process.disconnect();
}

function scrapeSteadily(): void {
  const underWay = new Set<Promise<unknown>>();
  const steady = setInterval(() => {
    const one = scrape('steady').then(async (answer) => {
      await send([answer]);
      underWay.delete(one);
    });
    underWay.add(one);
  }, 1_000 / options.steady);
  const rude = setInterval(
    () => MISBEHAVIOURS[Math.floor(random() * MISBEHAVIOURS.length)]?.(),
    RUDE_EVERY_MS,
  );
  process.once('message', async () => {
    clearInterval(steady);
    clearInterval(rude);
    await Promise.all(underWay);
    process.disconnect();
  });
}
process.once('disconnect', () => process.exit());

if (options.storm > 0) {
  await stormOnce();
} else {
  scrapeSteadily();
}
