/**
 * `npm run soak -- --seconds 600 --seed 1`: runs an exporter while Ollama and the clients misbehave by a seeded
 * schedule, and checks each response. Exits with code 1 if something is wrong.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ClientOptions } from './clients.ts';
import {
  availabilityLines,
  type Exporter,
  growth,
  logProblems,
  measureUsage,
  startExporter,
  stopExporter,
  type Usage,
} from './exporter.ts';
import { descriptors, type Fault, type Ollama, startOllama, storm } from './faults.ts';
import { type Answer, FAULTS, type FaultName, lateMs, type Trouble, violation } from './judge.ts';
import { turns } from './schedule.ts';
import { now } from './states.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Scrapes a second. */
    steady: { type: 'string', default: '50' },
    /** Scrapes at once, whenever the schedule has a storm. */
    storm: { type: 'string', default: '2000' },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);

/** With a storm, as what the first one leaves behind is no leak. */
const WARM_UP_MS = 3_000;
const LAST_CALM_MS = 1_000;
/** Until connections of misbehaving clients are closed. */
const COOL_DOWN_MS = 1_000;
/** For start and end, and for a busy machine. */
const MOST_MS = seconds * 1_000 + 60_000;

async function makeTrouble(
  faults: Readonly<Record<FaultName, Fault>>,
  ms: number,
): Promise<readonly Trouble[]> {
  const troubles: Trouble[] = [];
  const starts = new Map<FaultName, number>();
  let plannedMs = 0;
  for (const turn of turns(seed, FAULTS)) {
    plannedMs += turn.reduce((sum, { afterMs }) => sum + afterMs, 0);
    if (plannedMs > ms) {
      break;
    }
    for (const { afterMs, fault, begins, variant } of turn) {
      await sleep(afterMs);
      if (begins) {
        starts.set(fault, now());
        await faults[fault].begin(variant);
      } else {
        await faults[fault].end();
        troubles.push({ fault, start: starts.get(fault) ?? 0, end: now() });
      }
    }
  }
  return troubles;
}

/** @returns what is wrong */
async function soak(ollama: Ollama, exporter: Exporter): Promise<readonly string[]> {
  const { pid, port, log } = exporter;
  const answers: Answer[] = [];
  const clients = (more: Pick<ClientOptions, 'steady' | 'storm'>) => {
    const options: ClientOptions = { pid, port, seed, ...more };
    const child = fork(new URL('clients.js', import.meta.url), [JSON.stringify(options)]);
    return child.on('message', (some: readonly Answer[]) => answers.push(...some));
  };
  const crowd = storm(() => clients({ steady: 0, storm: Number(values.storm) }));
  const steady = clients({ steady: Number(values.steady), storm: 0 });
  const start = now();
  await crowd.begin(0);
  await crowd.end();
  const warmUp: Trouble = { fault: 'storm', start, end: now() };
  await sleep(start + WARM_UP_MS - now());
  const before = await measureUsage(exporter);
  const faults = { ...ollama.faults, descriptors: descriptors(exporter), storm: crowd };
  const troubles = await makeTrouble(faults, seconds * 1_000 - WARM_UP_MS - LAST_CALM_MS - COOL_DOWN_MS);
  await sleep(LAST_CALM_MS);
  steady.send('stop');
  await once(steady, 'disconnect');
  await sleep(COOL_DOWN_MS);
  const after = await measureUsage(exporter);
  const ending = await stopExporter(exporter);
  const wrong = answers.flatMap((answer) => violation(answer, [warmUp, ...troubles]) ?? []);
  const stormed = answers.filter(({ client }) => client === 'storm').length;
  const expected =
    Number(values.storm) * [warmUp, ...troubles].filter(({ fault }) => fault === 'storm').length;
  const late = answers.filter(({ client }) => client === 'steady').map(lateMs);
  const change = (name: keyof Usage) => `${before[name].toFixed(0)} → ${after[name].toFixed(0)}`;
  print(
    `${seconds} s, seed ${seed}, ${values.steady} scrapes a second, storms of ${values.storm}`,
    `responses: ${count(answers.map(({ client, kind }) => `${client} ${kind}`)).join(', ')}`,
    `failed calls: ${count(answers.flatMap(({ kind, note }) => (kind === 'failed' ? note.split(', ') : []))).join(', ')}`,
    `faults: ${count(troubles.map(({ fault }) => fault)).join(', ')}`,
    `after the budget: at most ${Math.max(...late)} ms, delays of the machine left out`,
    `log lines about Ollama: ${availabilityLines(log).length}`,
    `heap ${change('heapMiB')} MiB, resident ${change('residentMiB')} MiB (peak ${after.peakMiB.toFixed(0)}), open files ${change('files')}`,
  );
  return [
    ...count(wrong),
    ...(stormed === expected ? [] : [`${stormed} responses to storms were judged, of ${expected}`]),
    ...count(ollama.overlaps.map((path) => `${path} requested twice at the same time`)),
    ...growth(before, after),
    ...ending,
    ...logProblems(log, 2 * troubles.length),
  ];
}

function count(texts: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([text, times]) => `${times} ${text}`);
}

function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

setTimeout(() => {
  print('failed: the soak itself hangs');
  process.exit(1);
}, MOST_MS).unref();
const ollama = await startOllama();
const exporter = await startExporter(ollama.port);
process.once('exit', () => {
  ollama.kill();
  exporter.child.kill('SIGKILL');
});
const violations = await soak(ollama, exporter);
print(...violations.map((text) => `FAIL ${text}`), violations.length === 0 ? 'passed' : 'failed');
process.exit(violations.length === 0 ? 0 : 1);
