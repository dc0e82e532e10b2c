/** Section fleet: CPU and memory of an exporter that scrapes many servers by /probe, and CPU of one that scrapes one server. */
import { EXPORTER_AND_OWN, EXPORTER_OF_FLEET } from './contestants.mjs';
import { rssMiB, startHelper } from './processes.mjs';

const INTERVAL_SECONDS = 15;

/** @typedef {(job: import('./fleet-load.mjs').Job) => Promise<import('./fleet-load.mjs').Outcome>} Load */

/** @param {import('./run.mjs').Bench} bench */
export async function measureFleet(bench) {
  const { send, end } = startHelper('fleet-load.mjs');
  await measureOneServer(bench, send);
  await measureTargets(bench, send, 1, 1_000);
  for (let round = 0; round < bench.settings.fleetRounds; round += 1) {
    await measureTargets(bench, send, 2, 5_000);
  }
  end();
}

/** @type {(bench: import('./run.mjs').Bench, load: Load) => Promise<void>} */
async function measureOneServer({ settings, serve, progress, record }, load) {
  const title = `1 server of 10 models, every ${INTERVAL_SECONDS} s`;
  progress(title);
  const ollama = await serve({ models: 10, mode: 'changing' });
  const { name, expected, whileRunning } = EXPORTER_AND_OWN;
  const figures = await whileRunning(ollama, 10, async ({ url, pid = 0 }) => {
    const job = { url, pid, expected, paths: ['/metrics'], perSecond: 1 / INTERVAL_SECONDS };
    // In the first pass, the startup has remaining work.
    return await secondPass(load, job, settings.fleetSeconds);
  });
  record(title, name, figures);
}

/**
 * @param {import('./run.mjs').Bench} bench
 * @param {Load} load
 * @param {number} block of addresses; Linux accepts all of 127.0.0.0/8 on its loopback interface
 * @param {number} targets
 */
async function measureTargets({ settings, progress, record }, load, block, targets) {
  const title = `${targets} targets of 10 models, each every ${INTERVAL_SECONDS} s`;
  progress(title);
  const addresses = Array.from(
    { length: targets },
    (_, n) => `127.${block}.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`,
  );
  // A process of its own, because each address and each connection needs a file descriptor.
  const servers = startHelper('ollama.mjs', '0');
  const ollama = await servers.send({ models: 10, mode: 'changing', addresses });
  const { port } = new URL(ollama);
  const paths = addresses.map((address) => `/probe?target=${address}:${port}`);
  const { name, expected, whileRunning } = EXPORTER_OF_FLEET;
  const figures = await whileRunning(ollama, 10, async ({ url, pid = 0 }) => {
    const job = { url, pid, expected, paths, perSecond: targets / INTERVAL_SECONDS };
    // The first pass opens the connections.
    const outcome = await secondPass(load, job, settings.fleetSeconds);
    return { ...outcome, peakMiB: rssMiB(pid, 'VmHWM') };
  });
  servers.end();
  record(title, name, figures);
}

/**
 * @param {Load} load
 * @param {Omit<import('./fleet-load.mjs').Job, 'seconds'>} job
 * @param {number} seconds
 * @returns the outcome without that of a pass of one interval before, but for its bad responses
 */
async function secondPass(load, job, seconds) {
  const first = await load({ ...job, seconds: INTERVAL_SECONDS });
  const { bad, ...others } = await load({ ...job, seconds });
  return { ...others, bad: first.bad + bad };
}
