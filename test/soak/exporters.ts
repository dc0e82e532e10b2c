/** The exporters under test, each in another kind of trouble. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';

/**
 * `main` bears the load; `narrow` has few file descriptors; of `full` the log's disk is; of `cut` the log's reader goes.
 */
export const EXPORTERS = ['main', 'narrow', 'full', 'cut'] as const;
export type ExporterName = (typeof EXPORTERS)[number];

/** What a quiet exporter needs twice over, and less than a crowd takes. */
export const NARROW_FDS = 160;

const BEFORE: Readonly<Record<ExporterName, string>> = {
  main: '',
  narrow: `ulimit -n ${NARROW_FDS};`,
  full: '',
  cut: '',
};

/**
 * On SIGWINCH it collects its garbage, so that what is left of the heap is what is kept. On SIGIO its clock jumps,
 * forward and back by turns, and returns with the next one. (Node.js's own timers have another clock.)
 */
const PRELOADED = `
  import v8 from 'node:v8'; import vm from 'node:vm';
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  process.on('SIGWINCH', () => collect());
  const jumps = [49, 0, -26, 0].map((hours) => hours * 3_600_000);
  let skew = 0;
  const now = Date.now;
  globalThis.Date = class extends Date {
    static now() { return now() + skew; }
    constructor(...args) { super(...(args.length === 0 ? [now() + skew] : args)); }
  };
  process.on('SIGIO', () => { skew = jumps.shift(); jumps.push(skew); });`;

export interface Exporter {
  readonly name: ExporterName;
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: URL;
  readonly log: readonly string[];
}

/** @param folder for its configuration */
export async function startExporter(
  program: string,
  name: ExporterName,
  ollamaPort: number,
  folder: string,
): Promise<Exporter> {
  const config = join(folder, `${name}.yml`);
  // So that Ollama can tell them apart.
  const headers = `{ X-Soak: ${name} }`;
  writeFileSync(config, `modules: { default: { headers: ${headers} }, dns: { allow: ["*.invalid"] } }`);
  // Its log may not be there to tell.
  const port = await freePort();
  const args = [
    `--import=data:text/javascript,${encodeURIComponent(PRELOADED)}`,
    program,
    `--web.listen-address=127.0.0.1:${port}`,
    `--ollama.url=127.0.0.1:${ollamaPort}`,
    `--config.file=${config}`,
  ];
  const command = `${BEFORE[name]} exec "$0" "$@" ${name === 'full' ? '2>/dev/full' : ''}`;
  const child = spawn('/bin/sh', ['-c', command, process.execPath, ...args], {
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const url = new URL(`http://127.0.0.1:${port}`);
  while (!(await isReady(url))) {
    if (child.exitCode !== null) {
      throw new Error(`the exporter ended: ${log.join('\n')}`);
    }
  }
  return { name, child, pid: child.pid ?? 0, url, log };
}

async function isReady(url: URL): Promise<boolean> {
  await sleep(100);
  try {
    return (await fetch(new URL('/-/ready', url), { headers: { connection: 'close' } })).ok;
  } catch {
    return false;
  }
}

/** @returns what is wrong with how it ended; undefined if nothing is */
export async function stopExporter({ child, name, log }: Exporter): Promise<string | undefined> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return `${name} had ended: ${child.exitCode ?? child.signalCode}: ${log.slice(-5).join('\n')}`;
  }
  const start = performance.now();
  child.kill('SIGTERM');
  const [code, signal] = await once(child, 'exit');
  const seconds = (performance.now() - start) / 1_000;
  return code === 0 && seconds < 5 ? undefined : `${name} ended with ${code ?? signal} in ${seconds} s`;
}
