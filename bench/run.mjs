/** Measures the exporter beside the least that its work can cost: `npm run bench`, and see `docs/performance.md`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { openBench } from './bench.mjs';
import { endChildrenAtExit } from './children.mjs';
import { GOALS } from './goals.mjs';
import { machine, versions } from './machine.mjs';
import { createProgress } from './progress.mjs';
import { resultsText } from './results.mjs';
import { summarize } from './runs.mjs';
import { measureFleet } from './sections/fleet.mjs';
import { measureGzip } from './sections/gzip.mjs';
import { measureLoad } from './sections/load.mjs';
import { measureMemory } from './sections/memory.mjs';
import { measureStart } from './sections/start.mjs';
import { measureSteady } from './sections/steady.mjs';
import { parseSettings } from './settings.mjs';
import { goalsTable, tableOf } from './table.mjs';
import { judge } from './verdicts.mjs';

const FLOOR_BUNDLE = '.cache/bench/floor.mjs';

/** @type {ReadonlyArray<readonly [string, (bench: import('./bench.mjs').Bench, progress: import('./progress.mjs').Progress) => Promise<void>]>} */
const MEASURES = [
  ['load', measureLoad],
  ['start', measureStart],
  ['steady', measureSteady],
  ['fleet', measureFleet],
  ['gzip', measureGzip],
  ['memory', measureMemory],
];

/** In one file as the exporter is: otherwise the floor would lose its time to start with looking for modules. */
async function bundleFloor() {
  await build({
    entryPoints: ['bench/floor.mjs'],
    outfile: FLOOR_BUNDLE,
    bundle: true,
    format: 'esm',
    platform: 'node',
    minifySyntax: true,
    minifyWhitespace: true,
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
}

/** @param {import('./settings.mjs').Settings} settings */
async function runBench(settings) {
  await bundleFloor();
  const progress = createProgress(process.stderr);
  const bench = await openBench(settings, FLOOR_BUNDLE);
  try {
    for (const [section, measure] of MEASURES.filter(([name]) => settings.sections.includes(name))) {
      await measure(bench, progress.of(section));
    }
  } finally {
    progress.end();
    bench.end();
  }
  return bench.runs;
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
if (process.platform !== 'linux') {
  throw new Error('the bench reads /proc and listens on 127.0.0.0/8: it needs Linux');
}
endChildrenAtExit();
const settings = parseSettings(process.argv.slice(2));
const date = new Date().toISOString();
const runs = await runBench(settings);
const goals = judge(GOALS, runs);
const summary = summarize(runs);
process.stdout.write(`${tableOf(summary)}\n${goalsTable(goals)}`);
const results = { date, machine: machine(), versions: versions(), settings, goals, summary, runs };
writeFileSync(settings.output, resultsText(results));
