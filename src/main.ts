#!/usr/bin/env node
/** Turns argv and environment into a running exporter. The only file with side effects. */
import { createServer as createPlainServer } from 'node:http';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { type BuildInfo, readBuildInfo, versionText } from './build-info.ts';
import { type Config, parseCommandLine, UsageError } from './command-line.ts';
import { withDeadline } from './deadline.ts';
import { type BoundAddress, startExporter } from './exporter.ts';
import { createLogger, stderrDestination } from './log.ts';
import { toRegistry } from './registry.ts';
import { type Runtime, startRuntime } from './runtime.ts';
import { isUp } from './scrape.ts';
import { createScrapeLimit } from './scrape-limit.ts';
import { createSelfMetrics } from './self-metrics.ts';
import type { ServerDependencies } from './server.ts';

/** The last resort at the end, should closing hang: within the 5 s that are promised. */
const GIVE_UP_MS = 4_800;

/** At start, for nvidia-smi to answer; with a stuck driver it never does. */
const NVIDIA_SMI_PATIENCE_MS = 10_000;

async function main(): Promise<void> {
  const build = readBuildInfo();
  const invocation = parseCommandLine(process.argv.slice(2), process.env, versionText(build));
  if (invocation.kind === 'print') {
    process.stdout.write(invocation.text);
    return;
  }
  const { config } = invocation;
  if (config.checkOnly) {
    await checkFiles(config);
    return;
  }
  const log = createLogger(config, stderrDestination());
  const machine = { root: '/', env: process.env, patienceMs: NVIDIA_SMI_PATIENCE_MS };
  const runtime = await startRuntime(config, machine, log);
  await (config.once ? printOnce(runtime) : serve(config, build, runtime, log));
}

async function checkFiles({ configFile, webConfigFile }: Config): Promise<void> {
  if (configFile === undefined && webConfigFile === undefined) {
    throw new UsageError('--config.check needs --config.file or --web.config.file');
  }
  if (configFile !== undefined) {
    const { loadConfigFile } = await import('./probe/config-file.ts');
    await loadConfigFile(configFile);
    process.stdout.write(`${configFile}: valid\n`);
  }
  if (webConfigFile !== undefined) {
    const { checkWebConfig } = await import('./web/door.ts');
    checkWebConfig(webConfigFile);
    process.stdout.write(`${webConfigFile}: valid\n`);
  }
}

async function printOnce({ targets, onSnapshot, release }: Runtime): Promise<void> {
  const { timeoutMs, scrape } = targets.local();
  const snapshot = await withDeadline(timeoutMs, [], scrape);
  onSnapshot(snapshot);
  process.stdout.write(await toRegistry(snapshot).metrics());
  process.exitCode = isUp(snapshot) ? 0 : 1;
  await release();
}

async function serve(config: Config, build: BuildInfo, runtime: Runtime, log: Logger): Promise<void> {
  const { url, capacity, running, targets, onSnapshot } = runtime;
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
  closeOnSignal(config, log, closeAll);
  reloadOnSignal(config, runtime);
  try {
    const createServer = await openFrontDoor(config, log, open);
    const lastReload = config.configFile === undefined ? undefined : running.lastReload;
    const exporter = await startExporter(config.listenAddresses, {
      createServer,
      targets,
      config: running,
      limit: createScrapeLimit(config.maxRequests),
      offsetMs: config.offsetMs,
      onSnapshot,
      selfMetrics: config.exporterMetrics ? createSelfMetrics(build, lastReload) : undefined,
      landingPage: {
        version,
        telemetryPath: config.telemetryPath,
        target: url.href,
        simulated: config.ollama === 'demo',
      },
      log,
    });
    open.push(exporter.close);
    warnIfOpen(config, exporter.addresses, log);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** @param open gets what has to be closed again */
async function openFrontDoor(
  { webConfigFile }: Config,
  log: Logger,
  open: Array<() => Promise<void>>,
): Promise<ServerDependencies['createServer']> {
  if (webConfigFile === undefined) {
    return (handler, limits) => createPlainServer(limits, handler);
  }
  // Imported only here, for the sake of those who have no such file.
  const { openDoor } = await import('./web/door.ts');
  const { bcryptThread } = await import('./web/bcrypt-thread.ts');
  const thread = bcryptThread();
  open.push(thread.close);
  const { tls, asksForHttp2, createServer } = openDoor(webConfigFile, { log, compare: thread.compare });
  log.info({ file: webConfigFile, tls }, 'Requests have to pass the web configuration file');
  if (asksForHttp2) {
    log.warn({ file: webConfigFile }, 'HTTP/2 is not served, HTTP/1.1 is: http2 has no effect');
  }
  return createServer;
}

function warnIfOpen({ webConfigFile }: Config, addresses: readonly BoundAddress[], log: Logger): void {
  const reachable = addresses.filter(({ hostname }) => !/^(127\.|\[::1\])/.test(hostname));
  if (webConfigFile === undefined && reachable.length > 0) {
    const address = reachable.map(({ hostname, port }) => `${hostname}:${port}`).join();
    log.warn(
      { address },
      'Whoever reaches this address can read it: --web.config.file turns on TLS and passwords',
    );
  }
}

/** Without a file to read again, the signal means what it means to any program: its terminal is gone. */
function reloadOnSignal({ configFile }: Config, { running }: Runtime): void {
  if (configFile !== undefined) {
    // What goes wrong is logged and shows in the metrics.
    process.on('SIGHUP', () => void running.reload().catch(() => {}));
  }
}

function closeOnSignal({ configFile }: Config, log: Logger, closeAll: () => Promise<void>): void {
  const skip =
    configFile === undefined ? ['beforeExit' as const] : ['beforeExit' as const, 'SIGHUP' as const];
  closeWithGrace({ delay: GIVE_UP_MS, logger: log, skip }, async ({ signal, err }) => {
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
