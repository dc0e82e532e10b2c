/** The exporter on a real socket, inside the test's process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { request } from 'undici';
import { parseCommandLine } from '../src/config/command-line.ts';
import type { Config } from '../src/config/options.ts';
import { createLogger } from '../src/log/log.ts';
import type { Machine } from '../src/machine/machine.ts';
import { prepareScraper, startExporter } from '../src/start.ts';
import { type Exposition, parseExposition } from './exposition.ts';

export const NO_CAPACITY = { vramBytes: undefined, memoryBytes: undefined };

const MACHINE: Machine = { root: '/', env: {}, timeoutMs: 1_000, retryMs: 3_600_000 };

export interface InProcessExporter {
  readonly url: URL;
  /** 0 if there is no proxy. */
  readonly proxyPort: number;
  /** The log lines about Ollama's state. */
  readonly stateLines: () => readonly string[];
  /** One scrape with default headers; fails unless the exposition is valid. */
  readonly scrape: () => Promise<Exposition>;
  /** Replaces the content of the configuration file; takes effect after a reload. */
  readonly writeConfig: (config: string) => void;
  readonly close: () => Promise<void>;
}

/** Options of the exporter; unlike the defaults, its own metrics and the scrape limit are off. */
export interface InProcessOptions extends Partial<Config> {
  /** The content of a configuration file. */
  readonly configYaml?: string;
  readonly log?: Logger;
  /** Where `auto` detects; by default without nvidia-smi, and only once. */
  readonly machine?: Machine;
}

export function configOf(args: readonly string[]): Config {
  const invocation = parseCommandLine(args, {}, '');
  if (invocation.kind !== 'run') {
    throw new Error(`printed instead: ${invocation.text}`);
  }
  return invocation.config;
}

export async function startInProcess(
  ollamaUrl: URL | undefined,
  { configYaml, log, machine = MACHINE, ...overrides }: InProcessOptions = {},
): Promise<InProcessExporter> {
  const lines: string[] = [];
  const ownLog = createLogger(
    { logLevel: 'info', logFormat: 'logfmt' },
    { write: (line) => lines.push(line) },
  );
  const folder = mkdtempSync(join(tmpdir(), 'exporter-'));
  const file = join(folder, 'config.yml');
  writeFileSync(file, configYaml ?? '');
  const config: Config = {
    ...configOf([
      '--web.listen-address=127.0.0.1:0',
      '--web.max-requests=0',
      '--web.disable-exporter-metrics',
    ]),
    ollamaUrl,
    configFile: configYaml === undefined ? undefined : file,
    ...overrides,
  };
  const build = { version: '1.2.3', revision: 'abc' };
  const scraper = await prepareScraper(config, build, machine, log ?? ownLog);
  const { addresses, proxyAddresses, close } = await startExporter(scraper, config, build, log ?? ownLog);
  const [{ hostname, port } = { hostname: '', port: 0 }] = addresses;
  const url = new URL(`http://${hostname}:${port}`);
  return {
    url,
    proxyPort: proxyAddresses[0]?.port ?? 0,
    stateLines: () => lines.filter((line) => /msg="Ollama is (up|down)/.test(line)),
    scrape: () => scrapeOnce(url),
    writeConfig: (content) => writeFileSync(file, content),
    close: async () => {
      await close();
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
