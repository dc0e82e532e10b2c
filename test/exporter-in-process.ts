/** The exporter as it listens on a real socket, inside the test's process. */
import pino from 'pino';
import { request } from 'undici';
import { startExporter } from '../src/exporter.ts';
import { parseListenAddresses } from '../src/listen-address.ts';
import { createOllamaClient } from '../src/ollama/client.ts';
import { type Snapshot, scrape, type Target } from '../src/scrape.ts';
import type { ServerDependencies } from '../src/server.ts';
import { type Exposition, parseExposition } from './exposition.ts';

export const NO_CAPACITY = { vramBytes: undefined, memoryBytes: undefined };

export interface InProcessExporter {
  readonly url: URL;
  /** Every snapshot that a scraper got. */
  readonly snapshots: readonly Snapshot[];
  /** One scrape as a client without any wishes makes it; fails on anything but a good exposition. */
  readonly scrape: () => Promise<Exposition>;
  readonly close: () => Promise<void>;
}

export interface InProcessOptions extends Partial<ServerDependencies> {
  readonly timeoutMs?: number;
  readonly tags?: boolean;
}

export async function startInProcess(
  ollamaUrl: URL,
  options: InProcessOptions = {},
): Promise<InProcessExporter> {
  const { timeoutMs = 5_000, tags = false, ...overrides } = options;
  const ollama = createOllamaClient(ollamaUrl, { connectTimeoutMs: timeoutMs });
  const target: Target = { ollama, capacity: NO_CAPACITY, tags };
  const snapshots: Snapshot[] = [];
  const { addresses, close } = await startExporter(parseListenAddresses('127.0.0.1:0'), {
    scrape: (signal) => scrape(target, signal),
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    selfMetrics: undefined,
    timeouts: { timeoutMs, offsetMs: 500 },
    landingPage: { version: '1.2.3', telemetryPath: '/metrics', target: ollamaUrl.href, simulated: false },
    log: pino({ level: 'silent' }),
    ...overrides,
  });
  const [{ hostname, port } = { hostname: '', port: 0 }] = addresses;
  const url = new URL(`http://${hostname}:${port}`);
  return {
    url,
    snapshots,
    scrape: () => scrapeOnce(url),
    close: async () => {
      await close();
      await ollama.close();
    },
  };
}

async function scrapeOnce(url: URL): Promise<Exposition> {
  const { statusCode, body } = await request(new URL('/metrics', url));
  const text = await body.text();
  if (statusCode !== 200) {
    throw new Error(`status ${statusCode}: ${text}`);
  }
  return parseExposition(text);
}
