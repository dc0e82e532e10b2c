/** The exporter under test: its start and end, its memory and its log. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseExposition, sampleValue } from '../exposition.ts';

export type Exporter = Awaited<ReturnType<typeof startExporter>>;

/** SIGWINCH collects garbage, so that the heap holds only what is in use. */
const COLLECT = ['--expose-gc', `--import=data:text/javascript,process.on('SIGWINCH',()=>gc())`];

/** Runs the program in the current folder, where npm starts scripts. Its log is complete once it has ended. */
export async function startExporter(port: number, ollamaPort: number) {
  const options = [`--web.listen-address=127.0.0.1:${port}`, `--ollama.url=127.0.0.1:${ollamaPort}`];
  const command = [...COLLECT, 'dist/main.js', ...options];
  const child = spawn(process.execPath, command, { env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const exit = once(child, 'exit');
  const log = text(child.stderr);
  await Promise.race([waitUntilOpen(port), log.then((lines) => Promise.reject(new Error(lines)))]);
  return { child, port, exit, log };
}

/** Resolves once the port is open. */
export async function waitUntilOpen(port: number): Promise<void> {
  const get = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
  while ((await get().catch(() => '')) === '') {
    await sleep(10);
  }
}

const CHANGE = /level=(INFO|WARN) msg="(Ollama is |Refusing connections: |No longer refusing connections")/;
const START_OR_END =
  /level=(INFO|WARN) msg=("Starting ollama-exporter"|"VRAM capacity not set: |Listening |Stopping )/;

/** @returns problems with its exit, and with its log if nothing else has changed */
export async function stopExporter(exporter: Exporter, mostChanges: number): Promise<readonly string[]> {
  const start = performance.now();
  exporter.child.kill('SIGTERM');
  const [code, signal] = await exporter.exit;
  const seconds = (performance.now() - start) / 1_000;
  const lines = (await exporter.log).trim().split('\n');
  const changes = lines.filter((line) => CHANGE.test(line));
  const unexpected = lines.filter((line) => !CHANGE.test(line) && !START_OR_END.test(line));
  return [
    ...(code === 0 && seconds < 5 ? [] : [`ended with ${code ?? signal} ${seconds} s after SIGTERM`]),
    ...(changes.length <= mostChanges ? [] : [`${changes.length} log lines for ${mostChanges} changes`]),
    ...unexpected.map((line) => `unexpected log line: ${line}`),
  ];
}

/** More than an idle exporter has open, and enough for its limit of 2,000 connections. */
const [FEW_FILES, MOST_FILES] = [128, 4_096];

/** Lowers its limit of open files, and opens more connections than that allows. */
export async function exhaustFiles({ child, port }: Exporter, over: Promise<unknown>): Promise<void> {
  const limit = (files: number) => execFileSync('prlimit', [`--pid=${child.pid}`, `--nofile=${files}:`]);
  limit(FEW_FILES);
  const open = () => connect(port, '127.0.0.1').on('error', () => {});
  const sockets = Array.from({ length: 2 * FEW_FILES }, open);
  await over;
  await Promise.all(sockets.map((socket) => socket.closed || once(socket.destroy(), 'close')));
  limit(MOST_FILES);
}

const MIB = 1024 ** 2;
/** Maximum growth. */
const MAX_GROWTH = {
  // A leak of 300 bytes per scrape in ten minutes exceeds this.
  heapMiB: 8,
  externalMiB: 8,
  // V8's young generation grows to 48 MiB under load; the allocator may keep two responses of 17 MiB.
  residentMiB: 48 + 68,
  peakMiB: 250,
  files: 20,
};

type Usage = Readonly<Record<string, number>>;

/** After garbage collection. */
export async function measure({ child, port }: Exporter): Promise<Usage> {
  child.kill('SIGWINCH');
  const exposition = parseExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  const value = (name: string, unit = 1) => Math.round((sampleValue(exposition, name) ?? Number.NaN) / unit);
  const peakKiB = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1];
  return {
    heapMiB: value('nodejs_heap_size_used_bytes', MIB),
    externalMiB: value('nodejs_external_memory_bytes', MIB),
    residentMiB: value('process_resident_memory_bytes', MIB),
    peakMiB: Math.round(Number(peakKiB) / 1024),
    files: value('process_open_fds'),
  };
}

/** @returns what grew too much */
export function growth(before: Usage, after: Usage): readonly string[] {
  const grown = (name: string) => (after[name] ?? Number.NaN) - (before[name] ?? Number.NaN);
  return Object.entries(MAX_GROWTH)
    .filter(([name, most]) => !(grown(name) <= most))
    .map(([name, most]) => `${name} grew by ${grown(name)}, of at most ${most}`);
}
