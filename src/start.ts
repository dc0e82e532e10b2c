/** Options → a running exporter. Does not access the process, so that tests can start it. */
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { BuildInfo } from './config/build-info.ts';
import { UsageError } from './config/command-line.ts';
import type { ListenAddress } from './config/listen-address.ts';
import type { Config } from './config/options.ts';
import type { InheritedSocket } from './config/systemd-sockets.ts';
import { type Demo, startDemo } from './demo/demo.ts';
import { DEMO_MACHINE } from './demo/simulation.ts';
import { type CapacityOfMachine, type CapacityOptions, startCapacity } from './machine/capacity.ts';
import type { Machine } from './machine/machine.ts';
import { createOwnRegistry, createRegistry } from './metrics/own.ts';
import { startConfiguredProxy } from './proxy/start-proxy.ts';
import { localFinder } from './runners/local-target.ts';
import { createRunners, type Runners } from './runners/runners.ts';
import { createAvailabilityLog } from './scrape/availability-log.ts';
import { createLimitLog } from './scrape/limit-log.ts';
import { createScrapeLimit, UNLIMITED, withDeadline } from './scrape/limits.ts';
import { createSharing } from './scrape/sharing.ts';
import type { Collector, Snapshot } from './scrape/snapshot.ts';
import { type BoundAddress, listen } from './server/listen.ts';
import { createRefusalLog } from './server/refusal-log.ts';
import { createRequestMetrics } from './server/request-metrics.ts';
import { logStart } from './server/start-lines.ts';
import { createFleet } from './status/fleet.ts';
import { loadModules, type Modules } from './targets/modules.ts';
import { createTargets, type Targets } from './targets/targets.ts';
import { openServerFactory } from './web/server-factory.ts';

export interface Scraper {
  /** The Ollama of the telemetry path; undefined if there is none. */
  readonly url: URL | undefined;
  readonly capacity: CapacityOfMachine;
  readonly modules: Modules;
  readonly targets: Targets;
  /** undefined: runners are not read. */
  readonly runners: Runners | undefined;
  /** Starts clients that send requests to the proxy if Ollama is simulated; returns a function that stops them. */
  readonly startClients: Demo['startClients'];
  /** Logs state changes of the Ollama of the telemetry path. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** Closes the connections to Ollama. */
  readonly close: () => Promise<void>;
}

/** @throws FileError for --config.file; Error for an Ollama whose runners can't be read */
export async function prepareScraper(
  config: Config,
  { version }: BuildInfo,
  machine: Machine,
  log: Logger,
): Promise<Scraper> {
  const modules = await loadModules(config.configFile, config.timeoutMs, log);
  const capacity = await startCapacity(capacityOptions(config), machine, log);
  const demo = config.demo ? await startDemo(log) : undefined;
  const url = demo?.url ?? config.ollamaUrl;
  const finder = demo?.finder ?? (config.collectRunners ? await localFinder(url, machine.root) : undefined);
  const runners = finder && createRunners(finder, log);
  const collectors: readonly Collector[] = [
    'ps',
    'version',
    ...(config.collectTags ? ['tags' as const] : []),
  ];
  return {
    url,
    capacity,
    modules,
    targets: createTargets(
      {
        url,
        userAgent: `ollama-exporter/${version}`,
        capacity: capacity.now,
        collectors,
        readRunners: runners?.read,
      },
      modules,
    ),
    runners,
    startClients: demo?.startClients ?? (() => async () => {}),
    onSnapshot: url === undefined ? () => {} : createAvailabilityLog(log, url.href),
    close: async () => {
      capacity.close();
      await modules.close();
      await runners?.close();
      await demo?.close();
    },
  };
}

/** The demo simulates its machine; without an Ollama, there is no machine. */
function capacityOptions({ demo, ollamaUrl, vramCapacity, memoryCapacity }: Config): CapacityOptions {
  if (!demo && ollamaUrl === undefined) {
    return { vramCapacity: undefined, memoryCapacity: undefined };
  }
  return {
    vramCapacity: vramCapacity ?? (demo ? DEMO_MACHINE.vramBytes : undefined),
    memoryCapacity: memoryCapacity ?? (demo ? DEMO_MACHINE.memoryBytes : undefined),
  };
}

/** One scrape of the Ollama of the telemetry path. @throws UsageError if there is none */
export async function scrapeOnce({ targets, onSnapshot }: Scraper): Promise<Snapshot> {
  const share = createSharing();
  const target = targets.local();
  if (target === undefined) {
    throw new UsageError('--once requires an Ollama to scrape, but --ollama.url is none');
  }
  const snapshot = await withDeadline(target.longestMs, [], (signal) => share(target, signal, UNLIMITED));
  onSnapshot(snapshot);
  return snapshot;
}

export interface Exporter {
  /** One for each address of the options, with the port that it got. */
  readonly addresses: readonly BoundAddress[];
  readonly proxyAddresses: readonly BoundAddress[];
  /**
   * Stops accepting connections and lets running scrapes finish, which takes at most four seconds. Meanwhile, the proxy
   * lets its responses finish, within --proxy.shutdown-grace.
   */
  readonly close: () => Promise<void>;
}

/**
 * Closes the scraper when the exporter is closed or can't start.
 *
 * @param listenOn the addresses of the options, or sockets that are already open
 * @throws FileError for --web.config.file, Error
 */
export async function startExporter(
  scraper: Scraper,
  config: Config,
  build: BuildInfo,
  log: Logger,
  listenOn: readonly (ListenAddress | InheritedSocket)[] = config.listenAddresses,
): Promise<Exporter> {
  const listeners: Array<() => Promise<void>> = [];
  const open = [scraper.close];
  const close = async () => {
    await Promise.all(listeners.splice(0).map((end) => end()));
    for (const end of open.splice(0).toReversed()) {
      await end();
    }
  };
  try {
    const { capacity, modules, targets, runners, onSnapshot } = scraper;
    const servers = await openServerFactory(config.webConfigFile, log);
    open.push(servers.close);
    logStart(log, { build, config, targets, modules, tls: servers.tls });
    const proxy = await startConfiguredProxy(config, scraper.url, () => modules.local().tls(), log);
    if (proxy !== undefined) {
      listeners.push(proxy.close);
    }
    const [proxyAddress] = proxy?.addresses ?? [];
    // Simulated clients have neither a password nor a certificate.
    if (proxyAddress !== undefined && config.proxyWebConfigFile === undefined) {
      const { hostname, port } = proxyAddress;
      listeners.push(scraper.startClients(new URL(`http://${hostname}:${port}`)));
    }
    const requests = createRequestMetrics(config.telemetryPath);
    const counters = runners === undefined ? [] : [runners.registerMetrics];
    const rooms = [
      ...counters,
      ...(config.configFile === undefined ? [] : [modules.registerMetrics]),
      capacity.registerMetrics,
      requests.register,
    ];
    const atLimit = { option: '--web.max-requests', limit: config.maxRequests };
    const listening = await listen(listenOn, {
      config,
      version: build.version,
      targets,
      modules,
      share: createSharing(),
      limit: createScrapeLimit(config.maxRequests, createLimitLog(log, 'scrapes', atLimit)),
      fleet: createFleet(),
      watchRequests: requests.watch,
      own: merged(
        config.disableExporterMetrics ? createRegistry(counters) : createOwnRegistry(build, rooms),
        proxy?.metrics.registry,
      ),
      onSnapshot,
      createServer: servers.createServer,
      log,
      logRefusal: createRefusalLog(log),
    });
    listeners.push(listening.close);
    return { addresses: listening.addresses, proxyAddresses: proxy?.addresses ?? [], close };
  } catch (error) {
    await close();
    throw error;
  }
}

function merged(...registries: ReadonlyArray<Registry | undefined>): Registry | undefined {
  const present = registries.filter((registry) => registry !== undefined);
  return present.length > 1 ? Registry.merge(present) : present[0];
}
