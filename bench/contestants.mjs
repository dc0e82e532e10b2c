/** What is compared, and how each contestant is started. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { startServer } from './processes.mjs';

/**
 * @typedef {object} Server
 * @property {string} url to scrape
 * @property {number | undefined} pid undefined where CPU and memory cannot be measured
 * @property {string | undefined} [proxy] its URL, if it has one
 * @property {() => Promise<unknown>} [stop]
 *
 * @typedef {ReturnType<typeof contestant>} Contestant
 */

const UP = '\nollama_up 1\n';

export const FLOOR = contestant('floor', UP, (ollama, models) =>
  started(['bench/floor.mjs', ollama, String(models)]),
);

export const EXPORTER = exporter('exporter', '--web.disable-exporter-metrics');
export const EXPORTER_AND_OWN = exporter('exporter+own');
/** Its response counts only if all runners responded. */
export const EXPORTER_OF_RUNNERS = {
  ...exporter('exporter+runners', '--web.disable-exporter-metrics', '--collector.runners'),
  expected: 'ollama_scrape_success{api="runners"} 1\n',
};
export const EXPORTER_WITH_PROXY = exporter('proxy', '--proxy.listen-address=127.0.0.1:0');
export const EXPORTER_OF_FLEET = exporter('exporter+own', '--config.file=bench/fleet.yml');

/** @type {(name: string, ...options: string[]) => Contestant} */
function exporter(name, ...options) {
  return contestant(name, UP, (ollama) =>
    started(['dist/main.js', `--ollama.url=${ollama}`, '--web.listen-address=127.0.0.1:0', ...options]),
  );
}

/** @type {(name: string, url: string, pid: number | undefined) => Contestant} for a server that is already running */
export const other = (name, url, pid) => contestant(name, '\n', async () => ({ url, pid }));

/** @param {readonly string[]} args of node */
async function started(args) {
  const { pid, origin, proxy, stop } = await startServer(args);
  return { url: `${origin}/metrics`, pid, proxy, stop };
}

/**
 * @param {string} name
 * @param {string} expected text that a correct response contains
 * @param {(ollama: string, models: number) => Promise<Server>} launch
 */
function contestant(name, expected, launch) {
  /**
   * @template T
   * @param {string} ollama
   * @param {number} models
   * @param {(running: Server & { readonly startMs: number }) => Promise<T>} work
   */
  const whileRunning = async (ollama, models, work) => {
    const start = performance.now();
    const server = await launch(ollama, models);
    try {
      await firstGoodScrape(server.url, expected);
      return await work({ ...server, startMs: performance.now() - start });
    } finally {
      await server.stop?.();
    }
  };
  return { name, expected, whileRunning };
}

/** @type {(url: string, expected: string) => Promise<void>} */
async function firstGoodScrape(url, expected) {
  for (const end = performance.now() + 10_000; performance.now() < end; await sleep(5)) {
    const { statusCode, body } = await request(url, { reset: true });
    const text = await body.text();
    if (statusCode === 200 && text.includes(expected)) {
      return;
    }
  }
  throw new Error(`no good response from ${url} within 10 s`);
}
