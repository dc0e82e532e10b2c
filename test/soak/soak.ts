/** The soak: hours of trouble in minutes, and what has to hold all along. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXPORTERS, type Exporter, type ExporterName, startExporter, stopExporter } from './exporters.ts';
import { createFaults } from './faults.ts';
import { startLoad } from './load.ts';
import { logProblems } from './log-check.ts';
import { buildPrograms } from './processes.ts';
import { seeded } from './random.ts';
import { type Server, startServer } from './simulated-server.ts';
import { type Summary, summarize } from './summary.ts';
import { makeTrouble } from './trouble.ts';
import { growth, measureVitals } from './vitals.ts';

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Scrapes a second, all the time. */
  readonly steady: number;
  /** Scrapes at once, every ten seconds. */
  readonly storm: number;
  /** Whether scrapes that overlap have to share one read of Ollama. */
  readonly oneRead: boolean;
  /** Called every second. */
  readonly onProgress?: (text: string) => void;
}

/** A storm comes first, as what a crowd leaves behind is no leak. */
const WARM_UP_MS = 6_000;
const LAST_CALM_MS = 2_000;
/** Until the last storm is over, and who was half-open is gone. */
const COOL_DOWN_MS = 5_000;

/** @param folder of these files */
export async function soak(options: SoakOptions, folder: string): Promise<Summary> {
  const programs = buildPrograms(folder);
  const scratch = mkdtempSync(join(tmpdir(), 'soak-'));
  const overlaps = new Map<string, number>();
  const server = await startServer(programs, (read) => overlaps.set(read, (overlaps.get(read) ?? 0) + 1));
  const exporters = new Map<ExporterName, Exporter>();
  try {
    for (const name of EXPORTERS) {
      const program = join(folder, '../../dist/main.js');
      exporters.set(name, await startExporter(program, name, server.port, scratch));
    }
    return await run(options, { programs, server, exporters, overlaps });
  } finally {
    for (const { child } of exporters.values()) {
      child.kill('SIGKILL');
    }
    server.signal('SIGKILL');
    programs.remove();
    rmSync(scratch, { recursive: true });
  }
}

interface Parts {
  readonly programs: ReturnType<typeof buildPrograms>;
  readonly server: Server;
  readonly exporters: ReadonlyMap<ExporterName, Exporter>;
  readonly overlaps: ReadonlyMap<string, number>;
}

async function run(options: SoakOptions, { programs, server, exporters, overlaps }: Parts): Promise<Summary> {
  const main = exporters.get('main');
  if (main === undefined) {
    throw new Error('there is no exporter');
  }
  const load = startLoad(programs, [...exporters.values()], options);
  await sleep(WARM_UP_MS);
  const before = await measureVitals(main);
  const troubles = await makeTrouble({
    faults: createFaults(server, exporters),
    random: seeded(options.seed),
    ms: options.seconds * 1_000 - WARM_UP_MS - LAST_CALM_MS - COOL_DOWN_MS,
    onSecond: (left, fault) =>
      options.onProgress?.(`${left} s left, ${load.answers.length} answers, ${fault}`),
  });
  // What comes after the last fault has to be right, too.
  await sleep(LAST_CALM_MS);
  await load.stop();
  await sleep(COOL_DOWN_MS);
  const after = await measureVitals(main);
  const ends = await Promise.all([...exporters.values()].map(stopExporter));
  const readable = [...exporters.values()].filter(({ name }) => name === 'main' || name === 'narrow');
  const changes = (name: ExporterName) => 2 * troubles.filter(({ befalls }) => befalls.includes(name)).length;
  return summarize(options, {
    answers: load.answers,
    troubles: [...troubles, ...load.storms],
    before,
    after,
    overlaps,
    log: main.log,
    problems: [
      ...growth(before, after),
      ...ends.filter((problem) => problem !== undefined),
      ...readable.flatMap(({ name, log }) => logProblems(name, log, changes(name))),
    ],
  });
}
