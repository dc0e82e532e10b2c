/** Options, modules and the query of a request → a target: what to scrape, how, and for how long at most. */
import { messageOf } from '../log/error-text.ts';
import { createOllamaClient } from '../ollama/client.ts';
import { ApiError, ForbiddenAddressError } from '../ollama/errors.ts';
import { parseOllamaHost } from '../ollama/host.ts';
import { RequestError } from '../scrape/request-error.ts';
import type { Shareable } from '../scrape/sharing.ts';
import { type Capacity, type ScrapeOptions, startScrape } from '../scrape/snapshot.ts';
import type { Module } from './module.ts';
import { DEFAULT_MODULE, type Modules } from './modules.ts';

/** Settings for `--ollama.url`; its collectors also apply to targets whose module sets none. */
export interface TargetOptions extends Omit<RequestOptions, 'capacity'> {
  /** undefined: there is none. */
  readonly url: URL | undefined;
  /** As known at the time of a scrape. */
  readonly capacity: () => Capacity;
}

interface RequestOptions extends ScrapeOptions {
  readonly userAgent: string;
}

/** `start` rejects with a RequestError of status 403 if the name resolves to an address that the module does not allow. */
export interface Target extends Shareable {
  readonly url: URL;
  readonly module: Module;
  /** Of its machine, from options and module. */
  readonly capacity: Capacity;
}

export interface Targets {
  /** The target of /metrics, with the active module; undefined if there is none. */
  readonly local: () => Target | undefined;
  /** @throws RequestError with status 400 or 403, if the query has no allowed target */
  readonly probed: (query: URLSearchParams) => Target;
}

export function createTargets(options: TargetOptions, modules: Modules): Targets {
  return {
    local: () =>
      options.url && createTarget(options.url, modules.local(), { ...options, capacity: options.capacity() }),
    probed: (query) => {
      const url = readTarget(query);
      const module = knownModule(modules, readModuleName(query));
      if (module.allow === undefined) {
        throw new RequestError(
          403,
          `Module ${JSON.stringify(module.name)} allows no targets: add them to its "allow" in the file given with --config.file.`,
        );
      }
      if (module.httpsOnly && url.protocol === 'http:') {
        throw new RequestError(
          403,
          `Module ${JSON.stringify(module.name)} ${HTTPS_ONLY}: write https:// before the target.`,
        );
      }
      if (!module.allow.allows(url)) {
        throw refusal(url, module);
      }
      const capacity = { vramBytes: undefined, memoryBytes: undefined };
      // Only the runners of `--ollama.url` can be read.
      return createTarget(url, module, { ...options, capacity, readRunners: undefined });
    },
  };
}

const HTTPS_ONLY = 'has credentials and a "tls_config", so that it scrapes over https only';

/** For `--ollama.url`: checked only here, since a reload can change the module. */
async function refuseHttp(): Promise<never> {
  throw new ApiError('config', `the module ${HTTPS_ONLY}`, {
    hint: 'Write https:// in --ollama.url, or give these settings to a module of another name than "default".',
  });
}

/** The same for a pattern and for an address: only the log may show which address a name resolves to. */
function refusal(url: URL, { name }: Module, cause?: Error): RequestError {
  const message = `Target ${url.host} is not allowed by module ${JSON.stringify(name)}.`;
  return new RequestError(403, message, { cause });
}

function createTarget(url: URL, module: Module, options: RequestOptions): Target {
  const { agents, sendsSecrets, timeoutMs } = module;
  const { userAgent, readRunners } = options;
  const headers = module.httpsOnly && url.protocol === 'http:' ? refuseHttp : module.headers;
  const capacity = {
    vramBytes: module.vramBytes ?? options.capacity.vramBytes,
    memoryBytes: module.memoryBytes ?? options.capacity.memoryBytes,
  };
  const scrapeOptions = { capacity, collectors: module.collectors ?? options.collectors, readRunners };
  return {
    url,
    module,
    capacity,
    owner: module,
    key: url.href,
    longestMs: timeoutMs,
    start: (signal) => {
      const client = createOllamaClient({ url, agents, userAgent, headers, sendsSecrets });
      const { done, cutShort } = startScrape(client, scrapeOptions, signal);
      const allowed = done.catch((error) => {
        throw error instanceof ForbiddenAddressError ? refusal(url, module, error) : error;
      });
      return { done: allowed, cutShort };
    },
  };
}

/** The texts of blackbox_exporter and snmp_exporter, with a hint. */
function readTarget(query: URLSearchParams): URL {
  const [text, second] = query.getAll('target');
  if (text === undefined || text === '') {
    throw new RequestError(400, 'Target parameter is missing: request /probe?target=gpu-07:11434');
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

function knownModule(modules: Modules, name: string): Module {
  const module = modules.get(name);
  if (module === undefined) {
    throw new RequestError(400, `Unknown module ${JSON.stringify(name)}`);
  }
  return module;
}
