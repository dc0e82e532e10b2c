/** Sections start and memory: time to the first complete scrape, memory when idle, and memory growth. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EXPORTER_AND_OWN, FLOOR } from './contestants.mjs';
import { rssMiB } from './processes.mjs';
import { median } from './summary.mjs';

/** @param {import('./run.mjs').Bench} bench */
export async function measureStart({ serve, progress, record }) {
  const ollama = await serve({ models: 10, mode: 'unchanged' });
  progress('10 starts');
  for (let round = 0; round < 10; round += 1) {
    for (const { name, whileRunning } of [FLOOR, EXPORTER_AND_OWN]) {
      const figures = await whileRunning(ollama, 10, async ({ pid = 0, startMs }) => {
        // For remaining work of the startup.
        await sleep(300);
        return { startMs, restMiB: rssMiB(pid) };
      });
      record('start, 10 models', name, figures);
    }
  }
}

/** @param {import('./run.mjs').Bench} bench */
export async function measureMemory({ settings, serve, load, progress, record }) {
  const ollama = await serve({ models: 10, mode: 'changing' });
  const title = `${settings.scrapes} scrapes of 10 models, changing`;
  progress(title);
  for (const { name, expected, whileRunning } of [FLOOR, EXPORTER_AND_OWN]) {
    const figures = await whileRunning(ollama, 10, async ({ url, pid = 0 }) => {
      const rss = [];
      let bad = 0;
      for (let step = 0; step < 100; step += 1) {
        const job = { url, expected, seconds: 60, scrapes: settings.scrapes / 100 };
        bad += (await load(job)).bad;
        rss.push(rssMiB(pid));
      }
      // Medians of ten, because memory rises and falls with each garbage collection.
      return { halfMiB: median(rss.slice(40, 50)), fullMiB: median(rss.slice(90)), bad };
    });
    record(title, name, figures);
  }
}
