/** Asks an Ollama server. The only file that knows Ollama's paths. */
import { ApiError } from './api-error.ts';
import type { Connections, Watch } from './connections.ts';
import { type InstalledModels, parseInstalledModels } from './installed-models.ts';
import { isRecord, textOf } from './json.ts';
import { parseRunningModels, type RunningModels } from './running-models.ts';

export interface OllamaClient {
  /** @throws ApiError, as all calls do; ForbiddenAddressError, if the connections' lookup does */
  readonly runningModels: (signal: AbortSignal) => Promise<RunningModels>;
  readonly version: (signal: AbortSignal) => Promise<string>;
  /** Not for every scrape: Ollama reads and hashes every manifest on disk at each call. */
  readonly installedModels: (signal: AbortSignal) => Promise<InstalledModels>;
}

interface Answer {
  readonly body: unknown;
  /** Unix milliseconds by the clock of the Ollama host when it answered. */
  readonly nowMs: number;
}

/**
 * @param path the prefix to put before `/api/…`
 * @param watch is told what comes back
 */
export function createOllamaClient(connections: Connections, path: string, watch?: Watch): OllamaClient {
  const prefix = path.replace(/\/$/, '');

  const get = async (api: string, signal: AbortSignal): Promise<Answer> => {
    const { text, nowMs } = await connections.get(`${prefix}/api/${api}`, signal, watch);
    return { body: parseJson(text), nowMs };
  };

  return {
    runningModels: async (signal) => {
      const { body, nowMs } = await get('ps', signal);
      return parseRunningModels(body, nowMs);
    },
    version: async (signal) => parseVersion((await get('version', signal)).body),
    installedModels: async (signal) => parseInstalledModels((await get('tags', signal)).body),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid', `the answer (${text.length} characters) is not JSON`, { cause });
  }
}

function parseVersion(body: unknown): string {
  const version = isRecord(body) ? textOf(body['version']) : '';
  if (version === '') {
    throw new ApiError('invalid', 'the answer is not a JSON object with a "version"');
  }
  return version;
}
