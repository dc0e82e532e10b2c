/** Argv and environment → a running process; signals and exit codes. */
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { checkFiles } from './check-files.ts';
import { type BuildInfo, readBuildInfo, versionText } from './config/build-info.ts';
import { logFormatOf, parseCommandLine } from './config/command-line.ts';
import type { Config } from './config/options.ts';
import { inheritedSockets } from './config/systemd-sockets.ts';
import { unknownVariables } from './config/unknown-variables.ts';
import { messageOf } from './log/error-text.ts';
import { createLogger, logOutput } from './log/log.ts';
import { createRender } from './metrics/registry.ts';
import { isUp } from './scrape/snapshot.ts';
import { notifyReady } from './server/readiness.ts';
import { type Exporter, prepareScraper, type Scraper, scrapeOnce, startExporter } from './start.ts';

/** Forces the exit if closing hangs, within the documented 5 s. */
const FORCED_EXIT_MS = 4_800;

/** Timeout of nvidia-smi, also at startup; with a stuck driver it never returns. */
const NVIDIA_SMI_TIMEOUT_MS = 10_000;

/** Between two attempts of `auto`: a driver upgrade or a late driver requires an administrator or a reboot. */
const CAPACITY_RETRY_MS = 5 * 60_000;

/** Set once the options are known. */
let logger: Logger | undefined;

async function main(): Promise<void> {
  const build = readBuildInfo();
  const invocation = parseCommandLine(process.argv.slice(2), process.env, versionText(build));
  if (invocation.kind === 'print') {
    process.stdout.write(invocation.text);
    return;
  }
  const { config } = invocation;
  if (config.configCheck) {
    process.stdout.write(await checkFiles(config));
    return;
  }
  logger = createLogger(config, logOutput(process.stderr.fd));
  await run(config, build, logger);
}

async function run(config: Config, build: BuildInfo, log: Logger): Promise<void> {
  const machine = {
    root: '/',
    env: process.env,
    timeoutMs: NVIDIA_SMI_TIMEOUT_MS,
    retryMs: CAPACITY_RETRY_MS,
  };
  for (const { name, nearest } of unknownVariables(process.env)) {
    const hint = nearest === undefined ? {} : { hint: `did you mean ${nearest}?` };
    log.warn({ variable: name, ...hint }, 'No option has this environment variable');
  }
  const sockets = config.systemdSocket ? inheritedSockets(process.env, process.pid) : undefined;
  // What must be closed on a signal: nothing until nvidia-smi has responded.
  let starting: Promise<Exporter> | undefined;
  if (!config.once) {
    closeOnSignal(config, log, async () => (await starting)?.close());
  }
  // Only after the signal handlers are installed.
  const preparing = Promise.resolve().then(() => prepareScraper(config, build, machine, log));
  reloadOnSignal(config, preparing);
  const scraper = await preparing;
  if (config.once) {
    await printOnce(scraper);
    return;
  }
  starting = startExporter(scraper, config, build, log, sockets);
  warnIfOpen(config, await starting, log);
  await notifyReady(process.env).catch((error) =>
    log.warn({ err: messageOf(error) }, 'Could not notify systemd'),
  );
}

async function printOnce(scraper: Scraper): Promise<void> {
  const snapshot = await scrapeOnce(scraper);
  process.stdout.write(await createRender()(snapshot));
  process.exitCode = isUp(snapshot) ? 0 : 1;
  await scraper.close();
}

function warnIfOpen(config: Config, { addresses, proxyAddresses }: Exporter, log: Logger): void {
  const address = reachable(addresses);
  if (config.webConfigFile === undefined && address !== '') {
    log.warn({ address }, 'Listening without TLS or authentication, see --web.config.file');
  }
  const proxyAddress = reachable(proxyAddresses);
  if (config.proxyWebConfigFile === undefined && proxyAddress !== '') {
    log.warn(
      { address: proxyAddress },
      'Proxy listening without TLS or authentication, see --proxy.web.config.file',
    );
  }
}

/** Addresses that other machines can reach; '' for none. */
function reachable(addresses: Exporter['addresses']): string {
  return addresses
    .filter(({ hostname }) => !/^(127\.|\[::1\])/.test(hostname))
    .map(({ hostname, port }) => `${hostname}:${port}`)
    .join();
}

/** Without a file to reload, SIGHUP has its usual meaning: the terminal was closed, so the exporter exits. */
function reloadOnSignal({ configFile }: Config, preparing: Promise<Scraper>): void {
  if (configFile !== undefined) {
    // Errors are logged, and reported in the metrics.
    process.on('SIGHUP', () => void preparing.then(({ modules }) => modules.reload()).catch(() => {}));
  }
}

function closeOnSignal(config: Config, log: Logger, close: () => Promise<void>): void {
  const { configFile, proxyListenAddresses, proxyShutdownGraceMs } = config;
  const graceMs = proxyListenAddresses.length > 0 ? proxyShutdownGraceMs : 0;
  const skip =
    configFile === undefined ? ['beforeExit' as const] : ['beforeExit' as const, 'SIGHUP' as const];
  closeWithGrace({ delay: FORCED_EXIT_MS + graceMs, logger: log, skip }, async ({ signal, err }) => {
    if (err) {
      log.error({ err }, 'Unexpected error, exiting');
    } else {
      log.info({ signal }, 'Stopping');
    }
    await close();
  });
}

/** Uses the format of the log; a usage error is plain text, unless the format is JSON. */
function fail(message: string): void {
  process.exitCode = 1;
  if (logger === undefined && logFormatOf(process.argv.slice(2), process.env) === 'json') {
    logger = createLogger({ logLevel: 'error', logFormat: 'json' }, logOutput(process.stderr.fd));
  }
  if (logger === undefined) {
    process.stderr.write(`ollama-exporter: ${message}\n`);
  } else {
    logger.error({ err: message }, 'Exiting');
  }
}

// A closed pipe (`| head`) is not an error; a full disk is.
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
