/** Holds the configuration that is in force, and replaces it when the file has changed and is good. */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { messageOf } from '../log/error-text.ts';
import { openConnections } from '../ollama/connections.ts';
import type { AllowList } from './allow-list.ts';
import type { ConfigFile } from './config-file.ts';
import { createModule, type Module } from './module.ts';
import { keepConnections, type TargetConnections } from './target-connections.ts';

/** The module that /metrics uses, and /probe where none is named. */
export const DEFAULT_MODULE = 'default';

/** A module, and the connections that were made by its rules: another's must not be used with them. */
export interface LoadedModule extends Module {
  readonly connections: TargetConnections;
}

export interface RunningConfig {
  /** `default`, as /metrics uses it. */
  readonly local: () => LoadedModule;
  /** `default` is always there. */
  readonly module: (name: string) => LoadedModule | undefined;
  /** The names of the modules that allow /probe anything. */
  readonly openModules: () => readonly string[];
  /** YAML, secrets hidden. */
  readonly shown: () => string;
  /** @throws FileError if the file is bad, or Error if there is none; what was in force stays so */
  readonly reload: () => Promise<void>;
  /** Adds whether the last reload worked. */
  readonly registerMetrics: (registry: Registry) => void;
  /** Drops the connections that are idle, and the others as their scrapes end. */
  readonly close: () => void;
}

/**
 * @param file undefined: only the module `default`, which says nothing
 * @param timeoutMs of modules that name none
 * @throws FileError
 */
export async function startRunningConfig(
  file: string | undefined,
  timeoutMs: number,
  log: Logger,
): Promise<RunningConfig> {
  let current = withConnections(await load(file), timeoutMs);
  let lastReload = { successful: true, successSeconds: Date.now() / 1_000 };
  const reload = async () => {
    if (file === undefined) {
      throw new Error('there is nothing to reload: the exporter was started without --config.file');
    }
    try {
      const next = withConnections(await load(file), timeoutMs);
      closeAll(current);
      current = next;
    } catch (error) {
      lastReload = { ...lastReload, successful: false };
      const err = messageOf(error);
      log.error({ file, err }, 'Could not reload the configuration file, the old one stays in force');
      throw error;
    }
    lastReload = { successful: true, successSeconds: Date.now() / 1_000 };
    log.info({ file }, 'Reloaded the configuration file');
  };
  let reloading: Promise<void> = Promise.resolve();
  return {
    local: () => current.local,
    module: (name) => current.modules.get(name),
    openModules: () => [...current.modules.values()].filter(({ allow }) => allow).map(({ name }) => name),
    shown: () => current.shown,
    reload: () => {
      // One after the other, so that the last one called reads the last state of the file, and wins.
      reloading = reloading.catch(() => {}).then(reload);
      return reloading;
    },
    registerMetrics: (registry) => registerReloadMetrics(registry, () => lastReload),
    close: () => closeAll(current),
  };
}

/** Named as those of Prometheus and blackbox_exporter. */
function registerReloadMetrics(
  registry: Registry,
  lastReload: () => { readonly successful: boolean; readonly successSeconds: number },
): void {
  const registers = [registry];
  new Gauge({
    name: 'ollama_exporter_config_last_reload_successful',
    help: 'Whether the configuration file was good when it was last read.',
    registers,
    collect() {
      this.set(Number(lastReload().successful));
    },
  });
  new Gauge({
    name: 'ollama_exporter_config_last_reload_success_timestamp_seconds',
    help: 'Unix time at which the configuration that is in force was read.',
    registers,
    collect() {
      this.set(lastReload().successSeconds);
    },
  });
}

async function load(file: string | undefined): Promise<ConfigFile> {
  if (file === undefined) {
    return { modules: new Map(), shown: 'modules: {}\n' };
  }
  // Imported only here, as it costs the start of those who have no such file a tenth of a second.
  const { loadConfigFile } = await import('./config-file.ts');
  return await loadConfigFile(file);
}

interface LoadedConfig {
  readonly shown: string;
  readonly modules: ReadonlyMap<string, LoadedModule>;
  /** Has connections of its own: the address of --ollama.url is not checked, and no probe may profit from that. */
  readonly local: LoadedModule;
}

function withConnections({ modules, shown }: ConfigFile, timeoutMs: number): LoadedConfig {
  const fallback = modules.get(DEFAULT_MODULE) ?? createModule(DEFAULT_MODULE, {}, '.', '{}\n');
  const all = new Map([[DEFAULT_MODULE, fallback], ...modules]);
  const load = (module: Module, lookupFor: AllowList['lookupFor'] | undefined): LoadedModule => ({
    ...module,
    connections: keepConnections((origin) =>
      openConnections(origin, {
        connectTimeoutMs: module.timeoutMs ?? timeoutMs,
        headers: module.headers,
        tls: module.tls,
        lookup: lookupFor?.(new URL(origin)),
      }),
    ),
  });
  return {
    shown,
    modules: new Map([...all].map(([name, module]) => [name, load(module, module.allow?.lookupFor)])),
    local: load(fallback, undefined),
  };
}

function closeAll({ modules, local }: LoadedConfig): void {
  for (const { connections } of [local, ...modules.values()]) {
    connections.close();
  }
}
