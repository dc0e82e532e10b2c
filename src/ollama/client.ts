/** Asks an Ollama server. The only file that knows Ollama's paths. */
import type { CancelSignal } from './cancellation.ts';
import type { Connections, Watch } from './connections.ts';
import type { InstalledModels } from './installed-models.ts';
import { PARSERS, type Parsers } from './parsers.ts';
import type { RunningModels } from './running-models.ts';

export interface OllamaClient {
  /** @throws ApiError, as all calls do; ForbiddenAddressError, if the connections' lookup does */
  readonly runningModels: (signal: CancelSignal) => Promise<RunningModels>;
  readonly version: (signal: CancelSignal) => Promise<string>;
  /** Not for every scrape: Ollama reads and hashes every manifest on disk at each call. */
  readonly installedModels: (signal: CancelSignal) => Promise<InstalledModels>;
}

/**
 * @param path the prefix to put before `/api/…`
 * @param watch is told what comes back
 */
export function createOllamaClient(
  connections: Connections,
  path: string,
  parsers: Parsers = PARSERS,
  watch?: Watch,
): OllamaClient {
  const prefix = path.replace(/\/$/, '');
  const get = (api: string, signal: CancelSignal) => connections.get(`${prefix}/api/${api}`, signal, watch);
  return {
    runningModels: async (signal) => {
      const { text, nowMs } = await get('ps', signal);
      const { models, rows, skipped } = parsers.ps(text);
      return { models, rows, skipped, nowMs: nowMs() };
    },
    version: async (signal) => parsers.version((await get('version', signal)).text),
    installedModels: async (signal) => parsers.tags((await get('tags', signal)).text),
  };
}
