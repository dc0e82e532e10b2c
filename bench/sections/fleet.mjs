/** What /probe costs: CPU time and latency over a thousand servers, memory over five thousand. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXPORTER, named, WITH_OWN_METRICS, whileRunning } from '../contestants.mjs';
import { figuresOf, MIB } from '../figures.mjs';
import { peakRssBytes, rssBytes } from '../proc.mjs';

const FLEET_CELL = '1,000 targets of 10 models, 200 scrapes a second';

const RATE = 200;

const LARGE = 5_000;
const LARGE_INTERVAL_SECONDS = 15;
export const LARGE_FLEET_CELL = '5,000 targets of 10 models, each every 15 s';

/**
 * Linux takes all of 127.0.0.0/8 for its own.
 *
 * @type {(second: number, length: number) => readonly string[]}
 */
const addresses = (second, length) =>
  Array.from({ length }, (_, n) => `127.${second}.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`);

const ADDRESSES = addresses(0, 1_000);

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
    progress(contestants.length, contestants.length + 1, 'a large one');
    await measureMemoryOfLargeFleet(bench, configFile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {import('../bench.mjs').Bench} bench
 * @param {string} configFile
 */
async function measureMemoryOfLargeFleet(bench, configFile) {
  const hosts = addresses(1, LARGE);
  const conditions = await bench.serve({ models: 10, mode: 'changing', addresses: hosts });
  const port = new URL(conditions.ollama).port;
  const exporter = named(bench.contestants, EXPORTER);
  await whileRunning(exporter, { ...conditions, configFile }, async ({ url, pid = 0 }) => {
    const report = await bench.load({
      urls: hosts.map((host) => new URL(`/probe?target=${host}:${port}`, url).href),
      rate: LARGE / LARGE_INTERVAL_SECONDS,
      warmUpSeconds: 0,
      seconds: LARGE_INTERVAL_SECONDS * bench.settings.largeFleetRounds,
      pids: [bench.ollamaPid, pid],
    });
    const { othersShare = 0 } = figuresOf(report);
    const figures = { othersShare, rssMiB: rssBytes(pid) / MIB, peakRssMiB: peakRssBytes(pid) / MIB };
    bench.record({ section: 'fleet', cell: LARGE_FLEET_CELL, contestant: EXPORTER, round: 0, figures });
  });
}
