/** Turns options, modules and requests into targets: what to scrape, how, and for how long at most. */

import { messageOf } from '../log/error-text.ts';
import type { CancelSignal } from '../ollama/cancellation.ts';
import { createOllamaClient } from '../ollama/client.ts';
import type { Watch } from '../ollama/connections.ts';
import { ForbiddenAddressError } from '../ollama/errors.ts';
import { parseOllamaHost } from '../ollama/host.ts';
import { PARSERS, type Parsers, parsersWithMemory } from '../ollama/parsers.ts';
import { RequestError } from '../scrape/request-error.ts';
import type { Capacity } from '../scrape/snapshot.ts';
import { type Collector, isUp, type Reading, startReading } from '../scrape/snapshot.ts';
import { DEFAULT_MODULE, type LoadedModule, type RunningConfig } from './modules.ts';

/** What applies to every target unless its module says otherwise; the capacity to that of /metrics only. */
export interface TargetOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  readonly capacity: Capacity;
  readonly collectors: readonly Collector[];
}

export interface Target {
  readonly url: URL;
  readonly module: LoadedModule;
  /** The most that a scrape of it may take. */
  readonly timeoutMs: number;
  readonly capacity: Capacity;
  /** Rejects with a RequestError of status 403 if its name resolves to what the module does not allow. */
  readonly read: (signal: CancelSignal, watch?: Watch) => Reading;
}

export interface Targets {
  /** That of /metrics, as the configuration now in force wants it scraped. */
  readonly local: () => Target;
  /** @throws RequestError with status 400 or 403, if the query names no target that may be asked */
  readonly probed: (query: URLSearchParams) => Target;
}

export function createTargets(options: TargetOptions, config: RunningConfig): Targets {
  // Of one server, which is asked all the time. Those of a fleet would fill the memory.
  const remembering = parsersWithMemory();
  return {
    local: () => createTarget(options.url, config.local(), options, remembering),
    probed: (query) => {
      const url = readTarget(query);
      const module = knownModule(config, readModuleName(query));
      if (module.allow === undefined) {
        throw new RequestError(
          403,
          `Module ${JSON.stringify(module.name)} allows no targets: list them under its "allow" in the file given with --config.file.`,
        );
      }
      if (!module.allow.mayAsk(url)) {
        throw refusal(url, module);
      }
      const capacity = { vramBytes: undefined, memoryBytes: undefined };
      return createTarget(url, module, { ...options, capacity }, PARSERS);
    },
  };
}

/** The same whether a pattern or an address was the reason: what a name resolves to is told in the log only. */
function refusal(url: URL, { name }: LoadedModule, cause?: Error): RequestError {
  const message = `Target ${url.host} is not allowed by module ${JSON.stringify(name)}.`;
  return new RequestError(403, message, { cause });
}

function createTarget(
  url: URL,
  module: LoadedModule,
  options: Omit<TargetOptions, 'url'>,
  parsers: Parsers,
): Target {
  const timeoutMs = module.timeoutMs ?? options.timeoutMs;
  const capacity = {
    vramBytes: module.vramBytes ?? options.capacity.vramBytes,
    memoryBytes: module.memoryBytes ?? options.capacity.memoryBytes,
  };
  const collectors = module.collectors ?? options.collectors;
  return {
    url,
    module,
    timeoutMs,
    capacity,
    read: (signal, watch) => {
      const { connections, end } = module.connections.lease(url.origin);
      const client = createOllamaClient(connections, url.pathname, parsers, watch);
      const { done, cutShort } = startReading(client, { capacity, collectors }, signal);
      return {
        done: done.then(
          (snapshot) => {
            end(isUp(snapshot));
            return snapshot;
          },
          (error) => {
            end(false);
            throw error instanceof ForbiddenAddressError ? refusal(url, module, error) : error;
          },
        ),
        cutShort,
      };
    },
  };
}

/** The texts are those of blackbox_exporter and snmp_exporter, with what to do about it. */
function readTarget(query: URLSearchParams): URL {
  const [text, second] = query.getAll('target');
  if (text === undefined || text === '') {
    throw new RequestError(400, 'Target parameter is missing: ask for /probe?target=gpu-07:11434');
  }
  if (second !== undefined) {
    throw new RequestError(400, "'target' parameter must be specified once");
  }
  try {
    return parseOllamaHost(text);
  } catch (cause) {
    const problem = messageOf(cause);
    throw new RequestError(400, `Target can't be used: ${problem}`, { cause });
  }
}

function readModuleName(query: URLSearchParams): string {
  const [name, second] = query.getAll('module');
  if (second !== undefined) {
    throw new RequestError(400, "'module' parameter must be specified once");
  }
  return name || DEFAULT_MODULE;
}

function knownModule(config: RunningConfig, name: string): LoadedModule {
  const module = config.module(name);
  if (module === undefined) {
    throw new RequestError(400, `Unknown module ${JSON.stringify(name)}`);
  }
  return module;
}
