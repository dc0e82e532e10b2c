/** Argv and environment → a running process; its signals and its exit code. */
import { setFlagsFromString } from 'node:v8';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { type BuildInfo, readBuildInfo, versionText } from './config/build-info.ts';
import { type Config, parseCommandLine } from './config/command-line.ts';
import { messageOf } from './log/error-text.ts';
import { createLogger, logOutput } from './log/log.ts';
import { createOwnRegistry } from './metrics/own.ts';
import { createRender } from './metrics/registry.ts';
import { withDeadline } from './scrape/deadline.ts';
import { createScrapeLimit } from './scrape/scrape-limit.ts';
import { createReadings } from './scrape/sharing.ts';
import { isUp } from './scrape/snapshot.ts';
import { type BoundAddress, startExporter } from './server/listen.ts';
import { tellReady } from './server/readiness.ts';
import { checkFiles, type Runtime, startRuntime } from './start.ts';
import { readPageAssets } from './status/assets.ts';
import { openFrontDoor } from './web/front-door.ts';

/** The last resort at the end, should closing hang: within the 5 s that are promised. */
const GIVE_UP_MS = 4_800;

/** At start, for nvidia-smi to answer; with a stuck driver it never does. */
const NVIDIA_SMI_PATIENCE_MS = 10_000;

/** By which the old heap of a fleet may grow before V8 collects it; left to itself, V8 lets it grow to a multiple. */
const FLEET_HEAP_GROWTH_PERCENT = 40;

async function main(): Promise<void> {
  const build = readBuildInfo();
  const invocation = parseCommandLine(process.argv.slice(2), process.env, versionText(build));
  if (invocation.kind === 'print') {
    process.stdout.write(invocation.text);
    return;
  }
  const { config } = invocation;
  if (config.checkOnly) {
    process.stdout.write(await checkFiles(config));
    return;
  }
  const log = createLogger(config, logOutput(process.stderr.fd));
  const machine = { root: '/', env: process.env, patienceMs: NVIDIA_SMI_PATIENCE_MS };
  // Not before the signal is taken care of.
  const starting = Promise.resolve().then(() => startRuntime(config, machine, log));
  reloadOnSignal(config, starting);
  const runtime = await starting;
  await (config.once ? printOnce(runtime) : serve(config, build, runtime, log));
}

async function printOnce({ targets, onSnapshot, release }: Runtime): Promise<void> {
  const { timeoutMs, read } = targets.local();
  const snapshot = await withDeadline(timeoutMs, [], (signal) => read(signal).done);
  onSnapshot(snapshot);
  process.stdout.write(await createRender()(snapshot));
  process.exitCode = isUp(snapshot) ? 0 : 1;
  await release();
}

async function serve(config: Config, build: BuildInfo, runtime: Runtime, log: Logger): Promise<void> {
  if (config.configFile !== undefined) {
    setFlagsFromString(`--heap-growing-percent=${FLEET_HEAP_GROWTH_PERCENT}`);
  }
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
  try {
    const door = await openFrontDoor(config.webConfigFile, log);
    open.push(door.close);
    const rooms = config.configFile === undefined ? [] : [running.registerMetrics];
    const exporter = await startExporter(config.listenAddresses, {
      createServer: door.createServer,
      targets,
      config: running,
      readings: createReadings(createScrapeLimit(config.maxRequests)),
      offsetMs: config.offsetMs,
      onSnapshot,
      ownMetrics: config.exporterMetrics ? createOwnRegistry(build, rooms) : undefined,
      assets: readPageAssets(),
      version,
      telemetryPath: config.telemetryPath,
      simulated: config.ollama === 'demo',
      log,
    });
    open.push(exporter.close);
    warnIfOpen(config, exporter.addresses, log);
    await tellReady(process.env).catch((error) =>
      log.warn({ err: messageOf(error) }, 'Could not tell systemd that it is ready'),
    );
  } catch (error) {
    await closeAll();
    throw error;
  }
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
function reloadOnSignal({ configFile }: Config, starting: Promise<Runtime>): void {
  if (configFile !== undefined) {
    // What goes wrong is logged, and shows in the metrics.
    process.on('SIGHUP', () => void starting.then(({ running }) => running.reload()).catch(() => {}));
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
  fail(messageOf(error));
}
