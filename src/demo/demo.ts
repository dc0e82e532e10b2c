/** `--demo`: the simulated Ollama, its runners and its clients, on loopback. */
import type { Logger } from 'pino';
import type { RunnerFinder } from '../runners/find.ts';
import { startClients } from './clients.ts';
import { simulateRunners } from './runners.ts';
import { startSimulatedOllama } from './server.ts';
import { arrivalsSince, simulate } from './simulation.ts';

/** Every demo is the same, so that screenshots and questions about it are reproducible. */
const SEED = 11434;
const VERSION = '0.33.0';

export interface Demo {
  readonly url: URL;
  readonly finder: RunnerFinder;
  /** Starts clients that send requests to this proxy; returns a function that stops them. */
  readonly startClients: (proxy: URL) => () => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function startDemo(log: Logger): Promise<Demo> {
  const startMs = Date.now();
  const loadedAt = simulate(SEED, startMs);
  const loaded = () => loadedAt(Date.now());
  const ollama = await startSimulatedOllama({ version: VERSION, loaded });
  const runners = simulateRunners(loaded, startMs);
  log.warn({ target: ollama.url.href }, 'Demo: scraping a simulated Ollama');
  return {
    url: ollama.url,
    finder: runners.finder,
    startClients: (proxy) => startClients(proxy, arrivalsSince(SEED, startMs)),
    close: async () => {
      await runners.close();
      await ollama.close();
    },
  };
}
