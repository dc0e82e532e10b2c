/** Section proxy: what `--proxy.listen-address` adds to requests, compared to the same requests sent directly to Ollama. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EXPORTER_WITH_PROXY } from './contestants.mjs';
import { cpuSeconds, resetPeak, rssMiB, startHelper } from './processes.mjs';

/**
 * @typedef {Omit<import('./proxy-load.mjs').Job, 'port' | 'path'>} Work
 * @typedef {import('./settings.mjs').Settings['otherProxies'][number]} Proxy
 * @typedef {Proxy & { readonly path: string }} Way from a client to Ollama
 * @typedef {import('./proxy-load.mjs').Outcome} Outcome
 * @typedef {Omit<Outcome, 'count'> & { readonly cpuUs: number }} Figures
 * @typedef {(way: Way, work: Work) => Promise<Outcome>} Send
 */

const MEASURED = '/api/generate';
const NOT_MEASURING = 'proxy, not measuring';

/** @type {(connections: number, seconds: number) => Work} */
const whole = (connections, seconds) => ({ kind: 'whole', connections, seconds });
/** @type {(streams: number, seconds: number) => Work} */
const tokens = (streams, seconds) => ({ kind: 'streams', streams, chunks: 20 * seconds });

/** The work whose memory is measured. 5 chunks/s, because more would overload 2 cores. */
const LARGE = /** @type {const} */ ({
  '1000 streams of 5 chunks/s': { kind: 'streams', streams: 1_000, chunks: 20, every: 4 },
  'a response of 100 MiB': { kind: 'large', mebibytes: 100 },
  'a response of 100 MiB that is not read': { kind: 'large', mebibytes: 100, stallMs: 2_500 },
  'an upload of 1 GiB': { kind: 'upload', mebibytes: 1_024 },
});

/** @param {import('./run.mjs').Bench} bench */
export async function measureProxy(bench) {
  const { settings, progress } = bench;
  const clients = startHelper('proxy-load.mjs');
  /** @type {Send} */
  const send = ({ url, path }, work) => clients.send({ ...work, port: Number(new URL(url).port), path });
  const ollama = await bench.serve({ models: 10, mode: 'unchanged' });
  /** @type {(measure: (proxy: Proxy) => Promise<void>) => Promise<void>} */
  const whileRunning = (measure) =>
    EXPORTER_WITH_PROXY.whileRunning(ollama, 10, ({ proxy = '', pid }) =>
      measure({ name: 'proxy', url: proxy, pid }),
    );
  for (let round = 0; round < settings.rounds; round += 1) {
    progress(`round ${round + 1} of ${settings.rounds}`);
    await whileRunning(async (proxy) => {
      const ways = [
        { ...proxy, path: MEASURED },
        // Between the two, so that the second does not reuse the proxy's connections to Ollama.
        { name: 'direct', url: ollama, pid: undefined, path: MEASURED },
        { ...proxy, name: NOT_MEASURING, path: '/api/other' },
        ...settings.otherProxies.map((other) => ({ ...other, path: MEASURED })),
      ];
      await measureWays(bench, round % 2 === 0 ? ways : ways.reverse(), send);
    });
    for (const [title, work] of Object.entries(LARGE)) {
      progress(title);
      await whileRunning((proxy) => measureMemory(bench, title, work, proxy, send));
      for (const other of settings.otherProxies) {
        await measureMemory(bench, title, work, other, send);
      }
    }
  }
  clients.end();
}

/** @type {(bench: import('./run.mjs').Bench, ways: readonly Way[], send: Send) => Promise<void>} */
async function measureWays({ settings, progress, record }, ways, send) {
  for (const way of ways) {
    await send(way, whole(16, settings.warmUpSeconds));
    await send(way, tokens(500, settings.warmUpSeconds));
  }
  const works = {
    'responses of 1 KB, 1 connection': whole(1, settings.seconds),
    'responses of 1 KB, 16 connections': whole(16, settings.seconds),
    '64 streams of 20 chunks/s': tokens(64, settings.streamSeconds),
    '500 streams of 20 chunks/s': tokens(500, settings.streamSeconds),
  };
  for (const [title, work] of Object.entries(works)) {
    progress(title);
    /** @type {Map<string, Figures>} */
    const outcomes = new Map();
    for (const way of ways) {
      outcomes.set(way.name, await measured(way, work, send));
    }
    for (const [name, figures] of outcomes) {
      record(title, name, {
        ...figures,
        ...compared(name, figures, outcomes, settings.otherProxies[0]?.name),
      });
    }
  }
}

/** @type {(name: string, figures: Figures, all: ReadonlyMap<string, Figures>, otherProxy: string | undefined) => Record<string, number>} */
function compared(name, { p50Ms, p99Ms, firstMs, cpuUs }, all, otherProxy = '') {
  const [direct, notMeasuring, other] = ['direct', NOT_MEASURING, otherProxy].map((each) => all.get(each));
  return {
    ...(direct &&
      name !== 'direct' && {
        addedP50Ms: p50Ms - direct.p50Ms,
        addedP99Ms: p99Ms - direct.p99Ms,
        addedFirstMs: firstMs - direct.firstMs,
      }),
    ...(notMeasuring && name === 'proxy' && { cpuOfMeasuring: cpuUs / notMeasuring.cpuUs }),
    ...(other && name === 'proxy' && { cpuToOther: cpuUs / other.cpuUs }),
  };
}

/** @type {(way: Way, work: Work, send: Send) => Promise<Figures>} */
async function measured(way, work, send) {
  const cpu = () => (way.pid === undefined ? Number.NaN : cpuSeconds(way.pid));
  const before = cpu();
  const { count, ...outcome } = await send(way, work);
  return { ...outcome, cpuUs: ((cpu() - before) * 1e6) / count };
}

/** @type {(bench: import('./run.mjs').Bench, title: string, work: Work, proxy: Proxy, send: Send) => Promise<void>} */
async function measureMemory({ record }, title, work, { name, url, pid }, send) {
  if (pid === undefined) {
    return;
  }
  // For remaining work of the startup.
  await sleep(300);
  const path = work.kind === 'upload' ? '/api/blobs/sha256-0' : MEASURED;
  const restMiB = rssMiB(pid);
  resetPeak(pid);
  const { bad } = await send({ name, url, pid, path }, work);
  record(title, name, { grownMiB: rssMiB(pid, 'VmHWM') - restMiB, restMiB, bad });
}
