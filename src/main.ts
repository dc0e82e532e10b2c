#!/usr/bin/env node
/** Turns argv and environment into a running exporter. The only file with side effects. */
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { createAvailabilityLog } from './availability-log.ts';
import { type BuildInfo, readBuildInfo, versionText } from './build-info.ts';
import { type Capacity, resolveCapacity } from './capacity.ts';
import { type Config, parseCommandLine } from './command-line.ts';
import { withDeadline } from './deadline.ts';
import { startSimulatedOllama } from './demo/server.ts';
import { DEMO_MACHINE, simulate } from './demo/simulation.ts';
import { startExporter } from './exporter.ts';
import { createLogger, stderrDestination } from './log.ts';
import { createOllamaClient } from './ollama/client.ts';
import { toRegistry } from './registry.ts';
import { isUp, type Snapshot, scrape, type Target } from './scrape.ts';
import { createSelfMetrics } from './self-metrics.ts';

/** Every demo is the same, so that a screenshot of it, or a question about it, can be followed. */
const DEMO_SEED = 11434;
const DEMO_VERSION = '0.33.0';

/** The last resort at the end, should closing hang: within the 5 s that are promised. */
const GIVE_UP_MS = 4_800;

/** At start, for nvidia-smi to answer; with a stuck driver it never does. */
const NVIDIA_SMI_PATIENCE_MS = 10_000;

interface Runtime {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly log: Logger;
  readonly url: URL;
  readonly capacity: Capacity;
  readonly scrape: (signal: AbortSignal) => Promise<Snapshot>;
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** Lets go of what was opened to reach Ollama. */
  readonly release: () => Promise<void>;
}

async function main(): Promise<void> {
  const build = readBuildInfo();
  const invocation = parseCommandLine(process.argv.slice(2), process.env, versionText(build));
  if (invocation.kind === 'print') {
    process.stdout.write(invocation.text);
    return;
  }
  const runtime = await prepare(invocation.config, build);
  await (invocation.config.once ? printOnce(runtime) : serve(runtime));
}

async function prepare(config: Config, build: BuildInfo): Promise<Runtime> {
  const log = createLogger(config, stderrDestination());
  const capacity = await readCapacity(config);
  const server: Server = config.ollama === 'demo' ? await startDemo(log) : { url: config.ollama };
  const ollama = createOllamaClient(server.url, { connectTimeoutMs: config.timeoutMs });
  const target: Target = { ollama, capacity, tags: config.collectTags };
  return {
    config,
    build,
    log,
    url: server.url,
    capacity,
    scrape: (signal) => scrape(target, signal),
    onSnapshot: createAvailabilityLog(log, server.url.href),
    release: async () => {
      await ollama.close();
      await server.close?.();
    },
  };
}

/** Read once: the machine does not change while the exporter runs. A demo has a machine of its own. */
function readCapacity(config: Config): Promise<Capacity> {
  const demo = config.ollama === 'demo' ? DEMO_MACHINE : { vramBytes: undefined, memoryBytes: undefined };
  return resolveCapacity(
    {
      vramCapacity: config.vramCapacity ?? demo.vramBytes,
      memoryCapacity: config.memoryCapacity ?? demo.memoryBytes,
    },
    { root: '/', env: process.env, patienceMs: NVIDIA_SMI_PATIENCE_MS },
  );
}

interface Server {
  readonly url: URL;
  /** Only a simulated one is ours to close. */
  readonly close?: () => Promise<void>;
}

async function startDemo(log: Logger): Promise<Server> {
  const loadedAt = simulate(DEMO_SEED, Date.now());
  const simulated = await startSimulatedOllama({ version: DEMO_VERSION, loaded: () => loadedAt(Date.now()) });
  log.warn({ target: simulated.url.href }, 'Demo: this Ollama is a simulation');
  return simulated;
}

async function printOnce({ config, scrape, onSnapshot, release }: Runtime): Promise<void> {
  const snapshot = await withDeadline(config.timeoutMs, [], scrape);
  onSnapshot(snapshot);
  process.stdout.write(await toRegistry(snapshot).metrics());
  process.exitCode = isUp(snapshot) ? 0 : 1;
  await release();
}

async function serve(runtime: Runtime): Promise<void> {
  const { config, build, log, url, capacity } = runtime;
  const { version, revision } = build;
  const known = { vram_capacity_bytes: capacity.vramBytes, memory_capacity_bytes: capacity.memoryBytes };
  log.info(
    { version, revision, node: process.version, target: url.href, ...known },
    'Starting ollama-exporter',
  );
  // First of all, so that a signal in the middle of the start ends it in order, too.
  const open: Array<() => Promise<void>> = [runtime.release];
  const closeAll = async () => {
    for (const close of open.toReversed()) {
      await close();
    }
  };
  closeOnSignal(log, closeAll);
  try {
    const exporter = await startExporter(config.listenAddresses, {
      scrape: runtime.scrape,
      onSnapshot: runtime.onSnapshot,
      selfMetrics: config.exporterMetrics ? createSelfMetrics(build) : undefined,
      timeouts: config,
      landingPage: {
        version,
        telemetryPath: config.telemetryPath,
        target: url.href,
        simulated: config.ollama === 'demo',
      },
      log,
    });
    open.push(exporter.close);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function closeOnSignal(log: Logger, closeAll: () => Promise<void>): void {
  closeWithGrace({ delay: GIVE_UP_MS, logger: log, skip: ['beforeExit'] }, async ({ signal, err }) => {
    if (err) {
      log.error({ err }, 'Unexpected error, exiting');
    } else {
      log.info({ signal }, 'Stopping');
    }
    await closeAll();
  });
}

function fail(message: string): void {
  process.stderr.write(`ollama-exporter: ${message}\n`);
  process.exitCode = 1;
}

// A reader that has seen enough (`| head`) is no fault to speak of; a full disk is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exitCode = 1;
  if (error.code !== 'EPIPE') {
    fail(`could not write to stdout: ${error.message}`);
  }
});

try {
  await main();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
