/** Section fleet: CPU and memory of an exporter that scrapes many servers by /probe. */
import { EXPORTER_OF_FLEET } from './contestants.mjs';
import { rssMiB } from './processes.mjs';

const INTERVAL_SECONDS = 15;

/** autocannon sends the scrapes of a second at its start, up to so many at a time. */
const CONNECTIONS = 20;

/** @param {import('./run.mjs').Bench} bench */
export async function measureFleet(bench) {
  await measureTargets(bench, 1, 1_000);
  await measureTargets(bench, 2, 5_000);
}

/**
 * @param {import('./run.mjs').Bench} bench
 * @param {number} block of addresses; Linux accepts all of 127.0.0.0/8 on its loopback interface
 * @param {number} targets
 */
async function measureTargets({ settings, serve, load, progress, record }, block, targets) {
  const title = `${targets} targets of 10 models, each every ${INTERVAL_SECONDS} s`;
  progress(title);
  const addresses = Array.from(
    { length: targets },
    (_, n) => `127.${block}.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`,
  );
  const ollama = await serve({ models: 10, mode: 'changing', addresses });
  const { port } = new URL(ollama);
  const paths = addresses.map((address) => `/probe?target=${address}:${port}`);
  const rate = Math.ceil(targets / INTERVAL_SECONDS);
  const { name, expected, whileRunning } = EXPORTER_OF_FLEET;
  const figures = await whileRunning(ollama, 10, async ({ url, pid = 0 }) => {
    const job = { url, pid, expected, paths, connections: CONNECTIONS, rate };
    // The first pass opens the connections.
    const first = await load({ ...job, seconds: INTERVAL_SECONDS });
    const outcome = await load({ ...job, seconds: settings.fleetSeconds });
    const cpuShare = (outcome.cpuSeconds * 100) / outcome.seconds;
    return { cpuShare, peakMiB: rssMiB(pid, 'VmHWM'), bad: first.bad + outcome.bad };
  });
  record(title, name, figures);
}
