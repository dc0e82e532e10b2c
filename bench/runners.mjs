/** Section runners: the cost of `--collector.runners` per scrape, with real processes in the real /proc. */
import { EXPORTER, EXPORTER_OF_RUNNERS } from './contestants.mjs';

const RUNNERS = 4;

/** @param {import('./run.mjs').Bench} bench */
export async function measureRunners({ settings, serve, load, progress, record }) {
  const title = `${RUNNERS} models, ${RUNNERS} runners`;
  const ollama = await serve({ models: RUNNERS, mode: 'changing', runners: RUNNERS });
  for (let round = 0; round < settings.rounds; round += 1) {
    progress(`round ${round + 1} of ${settings.rounds}: ${title}`);
    let without = Number.NaN;
    for (const { name, expected, whileRunning } of [EXPORTER, EXPORTER_OF_RUNNERS]) {
      const outcome = await whileRunning(ollama, RUNNERS, async ({ url, pid }) => {
        const job = { url, pid, expected };
        await load({ ...job, seconds: settings.warmUpSeconds, scrapes: settings.warmUpScrapes });
        return load({ ...job, seconds: settings.seconds });
      });
      const cpuMs = (outcome.cpuSeconds * 1_000) / outcome.good;
      record(title, name, { cpuMs, addedCpuMs: cpuMs - without, p99Ms: outcome.p99Ms, bad: outcome.bad });
      without = cpuMs;
    }
  }
}
