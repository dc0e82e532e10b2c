/** `npm run bench`: compares the exporter with the minimum cost of its work. See README.md. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { measureFleet } from './fleet.mjs';
import { measureLoad } from './load.mjs';
import { measureMemory, measureStart } from './memory.mjs';
import { startHelper } from './processes.mjs';
import { measureProxy } from './proxy.mjs';
import { figuresTable, judged } from './report.mjs';
import { measureRunners } from './runners.mjs';
import { parseSettings } from './settings.mjs';
import { summarize } from './summary.mjs';

/** @typedef {ReturnType<typeof openBench>} Bench */

/** @type {Readonly<Record<string, (bench: Bench) => Promise<void>>>} */
const SECTIONS = {
  load: measureLoad,
  start: measureStart,
  runners: measureRunners,
  fleet: measureFleet,
  memory: measureMemory,
  proxy: measureProxy,
};

/** @param {import('./settings.mjs').Settings} settings */
function openBench(settings) {
  const ollama = startHelper('ollama.mjs', settings.ollamaPort);
  const generator = startHelper('generator.mjs');
  /** @type {import('./summary.mjs').Result[]} */
  const results = [];
  return {
    settings,
    results,
    /** @type {(orders: import('./ollama.mjs').Orders) => Promise<string>} configures Ollama, and returns its URL */
    serve: ollama.send,
    /** @type {(job: import('./generator.mjs').Job) => Promise<import('./generator.mjs').Outcome>} */
    load: generator.send,
    /** @type {(title: string, contestant: string, figures: Record<string, number>) => void} of one round */
    record: (title, contestant, figures) => {
      const known = results.find((result) => result.title === title && result.contestant === contestant);
      if (known === undefined) {
        results.push({ title, contestant, rounds: [figures] });
      } else {
        known.rounds.push(figures);
      }
    },
    /** @param {string} what */
    progress: (what) => void process.stderr.write(`${Math.round(performance.now() / 1_000)} s: ${what}\n`),
    end: () => {
      ollama.end();
      generator.end();
    },
  };
}

/** @type {(settings: import('./settings.mjs').Settings, rows: readonly import('./summary.mjs').Row[]) => void} */
function save({ quick, output }, rows) {
  const about = {
    date: new Date().toISOString().slice(0, 10),
    quick,
    machine: `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}`,
    node: process.versions.node,
    undici: JSON.parse(readFileSync('node_modules/undici/package.json', 'utf8')).version,
    commit: execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim(),
  };
  const [first, ...others] = [about, ...rows].map((value) =>
    JSON.stringify(value, (_key, part) => (typeof part === 'number' ? Number(part.toPrecision(4)) : part)),
  );
  writeFileSync(output, `{"about": ${first},\n"figures": [\n${others.join(',\n')}\n]}\n`);
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
if (process.platform !== 'linux') {
  throw new Error('the bench requires Linux: it reads /proc and listens on 127.0.0.0/8');
}
const settings = parseSettings(process.argv.slice(2));
const unknown = settings.sections.find((section) => !(section in SECTIONS));
if (unknown !== undefined) {
  throw new Error(`--only=${unknown}: must be one of ${Object.keys(SECTIONS).join(', ')}`);
}
const bench = openBench(settings);
for (const section of settings.sections) {
  await SECTIONS[section]?.(bench);
}
bench.end();
const rows = summarize(bench.results);
const note = '\n× is the ratio to the floor: median (min–max) of the rounds. Budgets:';
process.stdout.write(`${[...figuresTable(rows), note, ...judged(rows)].join('\n')}\n`);
save(settings, rows);
