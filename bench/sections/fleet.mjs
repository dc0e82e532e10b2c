/** CPU time and latency of /probe over a thousand servers, at a fixed rate. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WITH_OWN_METRICS, whileRunning } from '../contestants.mjs';
import { figuresOf, MIB } from '../figures.mjs';
import { rssBytes } from '../proc.mjs';

const FLEET_CELL = '1,000 targets of 10 models, 200 scrapes a second';

const RATE = 200;

/** Linux takes all of 127.0.0.0/8 for its own. */
const ADDRESSES = Array.from(
  { length: 1_000 },
  (_, n) => `127.0.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`,
);

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {import('../progress.mjs').Progress} progress
 */
export async function measureFleet(bench, progress) {
  const folder = mkdtempSync(join(tmpdir(), 'ollama-exporter-bench-'));
  try {
    const configFile = join(folder, 'config.yml');
    writeFileSync(configFile, 'modules:\n  default:\n    allow: ["127.0.0.0/8"]\n');
    const conditions = await bench.serve({ models: 10, mode: 'unchanged', addresses: ADDRESSES });
    const port = new URL(conditions.ollama).port;
    const targets = ADDRESSES.map((address) => `${address}:${port}`);
    // /probe has none of the exporter's own metrics, and another exporter has another idea of it, if any.
    const contestants = bench.contestants.filter(({ name, ours }) => ours && name !== WITH_OWN_METRICS);
    for (const [index, contestant] of contestants.entries()) {
      progress(index, contestants.length, contestant.name);
      await whileRunning(contestant, { ...conditions, configFile }, async ({ url, pid = 0 }) => {
        const report = await bench.load({
          urls: targets.map((target) => new URL(`/probe?target=${target}`, url).href),
          rate: RATE,
          // Once round, so that all connections are open.
          warmUpSeconds: ADDRESSES.length / RATE + 0.5,
          seconds: bench.settings.fleetSeconds,
          pids: [bench.ollamaPid, pid],
        });
        const figures = { ...figuresOf(report), rssMiB: rssBytes(pid) / MIB };
        bench.record({ section: 'fleet', cell: FLEET_CELL, contestant: contestant.name, round: 0, figures });
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
