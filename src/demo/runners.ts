/** The runners of the simulated Ollama: a server on loopback for each model, with the API of llama-server. */
import { createServer, type Server } from 'node:http';
import type { RunnerFinder } from '../runners/find.ts';
import { GIB } from './catalog.ts';
import type { LoadedModel } from './scheduler.ts';
import { closeServer, portOf } from './server.ts';
import { slotsOf } from './work.ts';

export interface SimulatedRunners {
  readonly finder: RunnerFinder;
  readonly close: () => Promise<void>;
}

/** Memory of llama-server without a model, and the maximum of its prompt cache. */
const MIN_BYTES = 0.3 * GIB;
const MAX_CACHE_BYTES = 8 * GIB;
const CACHED_TOKEN_BYTES = 64 * 1_024;

/** @param loaded the currently loaded models @param startMs Unix milliseconds */
export function simulateRunners(loaded: () => readonly LoadedModel[], startMs: number): SimulatedRunners {
  const servers = new Map<string, Promise<Server>>();
  const find = (processKey: string) => loaded().find((model) => processKeyOf(model) === processKey);
  const close = async (processKey: string) => {
    const server = servers.get(processKey);
    servers.delete(processKey);
    await (server && closeServer(await server));
  };
  const serverOf = (processKey: string) => {
    const server = servers.get(processKey) ?? startServer(() => find(processKey));
    servers.set(processKey, server);
    return server;
  };
  return {
    finder: {
      known: () => [],
      find: async () => {
        const models = loaded();
        const loadedKeys = new Set(models.map(processKeyOf));
        await Promise.all([...servers.keys()].filter((processKey) => !loadedKeys.has(processKey)).map(close));
        return await Promise.all(
          models.map(async (model) => ({
            processKey: processKeyOf(model),
            blob: model.model.blob,
            name: undefined,
            port: portOf(await serverOf(processKeyOf(model))),
            hasEndpoints: true,
            isOlder: model.loadedAtMs < startMs,
            residentBytes: residentBytes(model),
          })),
        );
      },
      refresh: (runner) => (find(runner.processKey) === undefined ? undefined : runner),
    },
    close: async () => {
      await Promise.all([...servers.keys()].map(close));
    },
  };
}

function processKeyOf({ model, loadedAtMs }: LoadedModel): string {
  return `${model.name} ${loadedAtMs}`;
}

function residentBytes({ model, sizeVramBytes, work }: LoadedModel): number {
  const cache = Math.min(work.promptTokens * CACHED_TOKEN_BYTES, MAX_CACHE_BYTES);
  return Math.round(MIN_BYTES + model.sizeBytes - sizeVramBytes + cache);
}

async function startServer(state: () => LoadedModel | undefined): Promise<Server> {
  const server = createServer(({ url }, response) => {
    const now = state();
    response.setHeader('server', 'llama.cpp');
    if (now === undefined) {
      response.writeHead(503).end();
    } else if (url === '/slots') {
      response.setHeader('content-type', 'application/json; charset=utf-8').end(slotsBody(now));
    } else if (url === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4').end(metricsBody(now));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return server;
}

function slotsBody({ model, busySlots }: LoadedModel): string {
  const slots = Array.from({ length: slotsOf(model) }, (_, id) => ({
    id,
    n_ctx: model.contextLength,
    is_processing: id < busySlots,
  }));
  return JSON.stringify(slots);
}

function metricsBody({ work, busySlots }: LoadedModel): string {
  const counters = {
    prompt_tokens_total: work.promptTokens,
    prompt_tokens_cached_total: work.cachedTokens,
    prompt_seconds_total: work.promptSeconds,
    tokens_predicted_total: work.generatedTokens,
    tokens_predicted_seconds_total: work.generationSeconds,
  };
  const lines = Object.entries(counters).map(
    ([name, value]) => `# TYPE llamacpp:${name} counter\nllamacpp:${name} ${sixDigits(value)}\n`,
  );
  return `${lines.join('')}# TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing ${busySlots}\n`;
}

/** Formats a number as C++ does. */
function sixDigits(value: number): string {
  return String(Number(value.toPrecision(6)));
}
