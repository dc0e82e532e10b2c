/** Turns options into what every scrape needs: the targets, the running configuration, and a demo if one is wanted. */
import type { Logger } from 'pino';
import { type Machine, resolveCapacity } from './config/capacity.ts';
import { type Config, UsageError } from './config/command-line.ts';
import { startSimulatedOllama } from './demo/server.ts';
import { DEMO_MACHINE, simulate } from './demo/simulation.ts';
import { createAvailabilityLog } from './scrape/availability-log.ts';
import type { Capacity, Collector, Snapshot } from './scrape/snapshot.ts';
import { type RunningConfig, startRunningConfig } from './targets/modules.ts';
import { createTargets, type Targets } from './targets/targets.ts';

/** Every demo is the same, so that a screenshot of it, or a question about it, can be followed. */
const DEMO_SEED = 11434;
const DEMO_VERSION = '0.33.0';

export interface Runtime {
  /** The Ollama of the telemetry path. */
  readonly url: URL;
  readonly capacity: Capacity;
  readonly running: RunningConfig;
  readonly targets: Targets;
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** Lets go of what was opened to reach Ollama. */
  readonly release: () => Promise<void>;
}

/** @throws FileError for --config.file, Error for a capacity that can't be found out */
export async function startRuntime(options: Config, machine: Machine, log: Logger): Promise<Runtime> {
  const capacity = await readCapacity(options, machine);
  const running = await startRunningConfig(options.configFile, options.timeoutMs, log);
  const server: Server = options.ollama === 'demo' ? await startDemo(log) : { url: options.ollama };
  const { url } = server;
  const collectors: readonly Collector[] = [
    'ps',
    'version',
    ...(options.collectTags ? ['tags' as const] : []),
  ];
  return {
    url,
    capacity,
    running,
    targets: createTargets({ url, timeoutMs: options.timeoutMs, capacity, collectors }, running),
    onSnapshot: createAvailabilityLog(log, url.href),
    release: async () => {
      running.close();
      await server.close?.();
    },
  };
}

/** Read once: the machine does not change while the exporter runs. A demo has a machine of its own. */
function readCapacity({ ollama, vramCapacity, memoryCapacity }: Config, machine: Machine): Promise<Capacity> {
  const demo = ollama === 'demo' ? DEMO_MACHINE : { vramBytes: undefined, memoryBytes: undefined };
  return resolveCapacity(
    { vramCapacity: vramCapacity ?? demo.vramBytes, memoryCapacity: memoryCapacity ?? demo.memoryBytes },
    machine,
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

/**
 * @returns what to print
 * @throws FileError for the first file that can't be used; UsageError if there is none
 */
export async function checkFiles({
  configFile,
  webConfigFile,
}: Pick<Config, 'configFile' | 'webConfigFile'>): Promise<string> {
  if (configFile === undefined && webConfigFile === undefined) {
    throw new UsageError('--config.check needs --config.file or --web.config.file');
  }
  if (configFile !== undefined) {
    const { loadConfigFile } = await import('./targets/config-file.ts');
    await loadConfigFile(configFile);
  }
  if (webConfigFile !== undefined) {
    const { checkWebConfig } = await import('./web/door.ts');
    checkWebConfig(webConfigFile);
  }
  return [configFile, webConfigFile]
    .flatMap((file) => (file === undefined ? [] : [`${file}: valid\n`]))
    .join('');
}
