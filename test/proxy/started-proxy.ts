/** The proxy on a real socket, inside the test's process. */
import { createServer } from 'node:http';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { parseListenAddresses } from '../../src/config/listen-address.ts';
import { type ProxyOptions, startProxy } from '../../src/proxy/proxy-server.ts';
import { type Exposition, parseExposition, sampleValue } from '../exposition.ts';

export interface StartedProxy {
  readonly port: number;
  readonly exposition: () => Promise<Exposition>;
  /** The samples of the metric that are not 0, as `labels value`. */
  readonly counted: (name: string) => Promise<readonly string[]>;
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => Promise<number | undefined>;
  readonly logged: readonly string[];
  readonly close: () => Promise<void>;
}

export async function startProxyBefore(url: URL, more: Partial<ProxyOptions> = {}): Promise<StartedProxy> {
  const logged: string[] = [];
  const { addresses, metrics, close } = await startProxy({
    listenOn: parseListenAddresses('127.0.0.1:0'),
    url,
    tls: async () => ({}),
    createServer: (handler, limits) => createServer(limits, handler),
    requiresPassword: () => false,
    includeUsage: false,
    shutdownGraceMs: 100,
    log: pino({ level: 'debug' }, { write: (line) => logged.push(line) }),
    ...more,
  });
  onTestFinished(close);
  const exposition = async () => parseExposition(await metrics.registry.metrics());
  return {
    port: addresses[0]?.port ?? 0,
    exposition,
    counted: async (name) =>
      ((await exposition()).get(name)?.samples ?? [])
        .filter(({ value }) => value !== 0)
        .map(({ labels, value }) => `${Object.values(labels).join(' ')} ${value}`),
    value: async (name, labels) => sampleValue(await exposition(), name, labels),
    logged,
    close,
  };
}
