/** The exporter as it listens on a real socket, inside the test's process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { request } from 'undici';
import { parseListenAddresses } from '../src/config/listen-address.ts';
import { createScrapeLimit } from '../src/scrape/scrape-limit.ts';
import { createReadings } from '../src/scrape/sharing.ts';
import type { Capacity, Collector, Snapshot } from '../src/scrape/snapshot.ts';
import type { ServerDependencies } from '../src/server/app.ts';
import { startExporter } from '../src/server/listen.ts';
import { readPageAssets } from '../src/status/assets.ts';
import { startRunningConfig } from '../src/targets/modules.ts';
import { createTargets } from '../src/targets/targets.ts';
import { type Exposition, parseExposition } from './exposition.ts';

export const NO_CAPACITY = { vramBytes: undefined, memoryBytes: undefined };

export interface InProcessExporter {
  readonly url: URL;
  /** Every snapshot that a scraper got from the telemetry path. */
  readonly snapshots: readonly Snapshot[];
  /** One scrape as a client without any wishes makes it; fails on anything but a good exposition. */
  readonly scrape: () => Promise<Exposition>;
  /** Replaces what the configuration file says; it takes a reload to have an effect. */
  readonly writeConfig: (config: string) => void;
  readonly close: () => Promise<void>;
}

export interface InProcessOptions extends Partial<ServerDependencies> {
  readonly timeoutMs?: number;
  readonly collectors?: readonly Collector[];
  readonly maxRequests?: number;
  readonly capacity?: Capacity;
  /** The content of a configuration file. */
  readonly configYaml?: string;
}

export async function startInProcess(
  ollamaUrl: URL,
  options: InProcessOptions = {},
): Promise<InProcessExporter> {
  const {
    timeoutMs = 5_000,
    collectors = ['ps', 'version'],
    maxRequests = 0,
    capacity = NO_CAPACITY,
    configYaml,
    ...overrides
  } = options;
  const log = overrides.log ?? pino({ level: 'silent' });
  const folder = mkdtempSync(join(tmpdir(), 'exporter-'));
  const file = join(folder, 'config.yml');
  writeFileSync(file, configYaml ?? '');
  const running = await startRunningConfig(configYaml === undefined ? undefined : file, timeoutMs, log);
  const snapshots: Snapshot[] = [];
  const { addresses, close } = await startExporter(parseListenAddresses('127.0.0.1:0'), {
    createServer: (handler, limits) => createServer(limits, handler),
    targets: createTargets({ url: ollamaUrl, timeoutMs, capacity, collectors }, running),
    config: running,
    readings: createReadings(createScrapeLimit(maxRequests)),
    offsetMs: 500,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    ownMetrics: undefined,
    assets: readPageAssets(),
    version: '1.2.3',
    telemetryPath: '/metrics',
    simulated: false,
    log,
    ...overrides,
  });
  const [{ hostname, port } = { hostname: '', port: 0 }] = addresses;
  const url = new URL(`http://${hostname}:${port}`);
  return {
    url,
    snapshots,
    scrape: () => scrapeOnce(url),
    writeConfig: (config) => writeFileSync(file, config),
    close: async () => {
      await close();
      running.close();
      rmSync(folder, { recursive: true, force: true });
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
