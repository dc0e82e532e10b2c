/** The active modules, replaced when the configuration file has changed and is valid. */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import type { Agent } from 'undici';
import { messageOf } from '../log/error-text.ts';
import { createRepeatLog } from '../log/repeats.ts';
import type { ConfigFile } from './config-file.ts';
import { createModule, type Module, withoutAllowList } from './module.ts';

/** The module of /metrics, and of /probe if none is given. */
export const DEFAULT_MODULE = 'default';

export interface Modules {
  /** `default`, for /metrics. */
  readonly local: () => Module;
  /** `default` always exists. */
  readonly get: (name: string) => Module | undefined;
  /** The names of the modules with an allow list. */
  readonly probeable: () => readonly string[];
  /** The configuration file as YAML, secrets hidden. */
  readonly shown: () => string;
  /**
   * Calls during a reload share the next one. If the file has not changed, its modules and connections are kept.
   *
   * @throws FileError if the file is invalid, or Error if there is none; the old modules then stay active
   */
  readonly reload: () => Promise<void>;
  /** Adds the metrics of the last reload. */
  readonly registerMetrics: (registry: Registry) => void;
  /** Closes all connections. */
  readonly close: () => Promise<void>;
}

interface LastReload {
  readonly successful: boolean;
  /** Unix seconds. */
  readonly successSeconds: number;
}

interface Loaded extends Pick<ConfigFile, 'modules' | 'shown'> {
  readonly local: Module;
  readonly configFile: ConfigFile;
}

/**
 * @param file undefined: only the module `default`, without settings
 * @param timeoutMs of modules without one
 * @throws FileError
 */
export async function loadModules(
  file: string | undefined,
  timeoutMs: number,
  log: Logger,
): Promise<Modules> {
  const loadAndWarn = async (known?: Loaded) => {
    const loaded = await load(file, timeoutMs, known);
    if (loaded === known) {
      return known;
    }
    for (const { name, exposedBy } of loaded.modules.values()) {
      if (exposedBy.length > 0) {
        const allow = exposedBy.join(', ');
        log.warn({ file, module: name, allow }, 'Clients of /probe can choose where credentials are sent');
      }
    }
    return loaded;
  };
  let current = await loadAndWarn();
  let lastReload: LastReload = { successful: true, successSeconds: Date.now() / 1_000 };
  const logRepeated = createRepeatLog();
  const reload = async () => {
    if (file === undefined) {
      throw new Error('there is nothing to reload: the exporter was started without --config.file');
    }
    const old = current;
    try {
      current = await loadAndWarn(old);
      if (current !== old) {
        retire(old);
      }
    } catch (error) {
      lastReload = { ...lastReload, successful: false };
      const err = messageOf(error);
      logRepeated('reload', err, (repeats) =>
        log.error(
          { file, err, ...(repeats > 0 && { repeats }) },
          'Could not reload the configuration file, the old one stays active',
        ),
      );
      throw error;
    }
    lastReload = { successful: true, successSeconds: Date.now() / 1_000 };
    logRepeated('reload', current === old ? '' : current.configFile.source, (repeats) =>
      log.info({ file, ...(repeats > 0 && { repeats }) }, 'Reloaded the configuration file'),
    );
  };
  let reloading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return {
    local: () => current.local,
    get: (name) => current.modules.get(name),
    probeable: () => [...current.modules.values()].filter(({ allow }) => allow).map(({ name }) => name),
    shown: () => current.shown,
    reload: () => {
      // Sequential, so that the last call reads the latest state of the file, and wins.
      next ??= reloading
        .catch(() => {})
        .then(() => {
          next = undefined;
          reloading = reload();
          return reloading;
        });
      return next;
    },
    registerMetrics: (registry) => registerReloadMetrics(registry, () => lastReload),
    close: async () => {
      await Promise.all(agentsOf(current).map((agent) => agent.destroy()));
    },
  };
}

/** @returns the known result if the file has not changed */
async function load(file: string | undefined, timeoutMs: number, known?: Loaded): Promise<Loaded> {
  const configFile = await loadFile(file, timeoutMs, known?.configFile);
  if (known !== undefined && configFile === known.configFile) {
    return known;
  }
  const { modules, shown } = configFile;
  const source = { name: DEFAULT_MODULE, settings: {}, folder: '.', shown: '{}\n' };
  const local = modules.get(DEFAULT_MODULE) ?? createModule(source, timeoutMs);
  return {
    modules: new Map([[DEFAULT_MODULE, local], ...modules]),
    shown,
    configFile,
    local: withoutAllowList(local),
  };
}

async function loadFile(
  file: string | undefined,
  timeoutMs: number,
  known: ConfigFile | undefined,
): Promise<ConfigFile> {
  if (file === undefined) {
    return { modules: new Map(), shown: 'modules: {}\n', source: '' };
  }
  // Imported only here: YAML and schemas take a tenth of a second to load.
  const { loadConfigFile } = await import('./config-file.ts');
  return await loadConfigFile(file, timeoutMs, known);
}

function all({ local, modules }: Loaded): readonly Module[] {
  return [local, ...modules.values()];
}

function agentsOf(loaded: Loaded): readonly Agent[] {
  return all(loaded).flatMap(({ agents }) => Object.values(agents));
}

/** A scrape that took its module before the reload may still send requests, which a closed Agent would reject. */
function retire(loaded: Loaded): void {
  const longestMs = Math.max(...all(loaded).map(({ timeoutMs }) => timeoutMs));
  const close = () => Promise.all(agentsOf(loaded).map((agent) => agent.close()));
  setTimeout(() => void close(), longestMs).unref();
}

/** Named as those of Prometheus and blackbox_exporter. */
function registerReloadMetrics(registry: Registry, lastReload: () => LastReload): void {
  const registers = [registry];
  new Gauge({
    name: 'ollama_exporter_config_last_reload_successful',
    help: 'Whether the last reload of the configuration file succeeded.',
    registers,
    collect() {
      this.set(Number(lastReload().successful));
    },
  });
  new Gauge({
    name: 'ollama_exporter_config_last_reload_success_timestamp_seconds',
    help: 'Unix time of the last successful read of the configuration file.',
    registers,
    collect() {
      this.set(lastReload().successSeconds);
    },
  });
}
