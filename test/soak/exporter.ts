/** The exporter under test: how it starts and ends, what it holds and what it logs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseExposition, sampleValue } from '../exposition.ts';

export interface Exporter {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly log: readonly string[];
}

/** Enough for its limit of 2,000 connections. */
export const MOST_FILES = 4_096;
/** SIGWINCH collects garbage, so that the heap holds only what is in use. */
const COLLECT = ['--expose-gc', `--import=data:text/javascript,process.on('SIGWINCH',()=>gc())`];

/** Runs the program in the current folder, where npm starts scripts. */
export async function startExporter(ollamaPort: number): Promise<Exporter> {
  const options = ['--web.listen-address=127.0.0.1:0', `--ollama.url=127.0.0.1:${ollamaPort}`];
  const command = [`--nofile=${MOST_FILES}`, process.execPath, ...COLLECT, 'dist/main.js', ...options];
  const child = spawn('prlimit', command, {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the exporter did not start: ${log.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      const [, found] = /msg=Listening address=127\.0\.0\.1:(\d+)/.exec(line) ?? [];
      if (found) {
        resolve(Number(found));
      }
    });
  });
  return { child, pid: child.pid ?? 0, port, log };
}

/** @returns what is wrong with how it ends */
export async function stopExporter({ child, log }: Exporter): Promise<readonly string[]> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return [`ended with ${child.exitCode ?? child.signalCode}: ${log.slice(-5).join('\n')}`];
  }
  const start = performance.now();
  child.kill('SIGTERM');
  const [code, signal] = await once(child, 'exit');
  const seconds = (performance.now() - start) / 1_000;
  return code === 0 && seconds < 5 ? [] : [`SIGTERM: ended with ${code ?? signal} after ${seconds} s`];
}

const EXPECTED_LINE =
  /level=(INFO|WARN) msg=("Starting ollama-exporter"|Listening|"Ollama is [^"]*"|Stopping)( |$)/;
/** One fault can show in two ways: a connection is reset, the next one is refused. */
const LINES_PER_CHANGE = 2;

export const availabilityLines = (log: readonly string[]) =>
  log.filter((line) => line.includes('"Ollama is '));

/** @param changes beginnings and ends of faults */
export function logProblems(log: readonly string[], changes: number): readonly string[] {
  const unexpected = log.filter((line) => !EXPECTED_LINE.test(line)).slice(0, 3);
  const lines = availabilityLines(log).length;
  return [
    ...unexpected.map((line) => `unexpected log line: ${line}`),
    ...(lines <= changes * LINES_PER_CHANGE + 1 ? [] : [`${lines} log lines for ${changes} changes`]),
  ];
}

export interface Usage {
  readonly heapMiB: number;
  readonly residentMiB: number;
  /** Since the start of the process. */
  readonly peakMiB: number;
  readonly files: number;
}

/** 300 bytes that each scrape of ten minutes leaves behind are more. */
const MORE_HEAP_MIB = 8;
/** V8's young generation grows to 48 MiB under load; the allocator may keep two responses of 17 MiB, in pieces and whole. */
const MORE_RESIDENT_MIB = 48 + 68;
const MOST_RESIDENT_MIB = 400;
const MORE_FILES = 20;

export async function measureUsage({ child, pid, port }: Exporter): Promise<Usage> {
  const scrape = async () => {
    child.kill('SIGWINCH');
    return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  };
  await scrape();
  const exposition = parseExposition(await scrape());
  const value = (name: string) => sampleValue(exposition, name) ?? Number.NaN;
  const [, peakKiB] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return {
    heapMiB: value('nodejs_heap_size_used_bytes') / 1024 ** 2,
    residentMiB: value('process_resident_memory_bytes') / 1024 ** 2,
    peakMiB: Number(peakKiB) / 1024,
    files: value('process_open_fds'),
  };
}

/** @returns what grew that should not have */
export function growth(before: Usage, after: Usage): readonly string[] {
  const limits = [
    ['heap', after.heapMiB - before.heapMiB, MORE_HEAP_MIB],
    ['resident memory', after.residentMiB - before.residentMiB, MORE_RESIDENT_MIB],
    ['peak of resident memory', after.peakMiB, MOST_RESIDENT_MIB],
    ['open files', after.files - before.files, MORE_FILES],
  ] as const;
  return limits
    .filter(([, measured, most]) => !(measured <= most))
    .map(([name, measured, most]) => `${name}: ${measured.toFixed(0)}, at most ${most} allowed`);
}
