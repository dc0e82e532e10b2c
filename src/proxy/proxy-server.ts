/** Listens in front of Ollama, and stops without cutting what can end by itself. */
import { once } from 'node:events';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { Logger } from 'pino';
import type { ListenAddress } from '../config/listen-address.ts';
import type { TlsOptions } from '../ollama/agent.ts';
import { addressOf, type BoundAddress, boundAddress, listenProblem } from '../server/listen.ts';
import { createProxyMetrics, type ProxyMetrics } from './proxy-metrics.ts';
import { createReader } from './reader.ts';
import { createRelay } from './relay.ts';
import { createUpstream, MAX_HEADER_BYTES } from './upstream.ts';
import { type WatchDependencies, watch } from './watch.ts';

/** Nothing here limits how long a request or an answer may take, or how long it may be. */
const LIMITS: ServerOptions = {
  headersTimeout: 60_000,
  requestTimeout: 0,
  // Longer than clients keep theirs, so that none sends a request into a connection that is being closed.
  keepAliveTimeout: 90_000,
  maxHeaderSize: MAX_HEADER_BYTES,
};

/** As the exporter's own listeners. */
const BACKLOG = 4_096;

export interface ProxyOptions {
  readonly listenOn: readonly ListenAddress[];
  /** Of Ollama. */
  readonly url: URL;
  /** Called for each new connection to Ollama by https. */
  readonly tls: () => Promise<TlsOptions>;
  /** Makes the server; TLS and passwords can come before it. */
  readonly createServer: (handler: RequestListener, limits: ServerOptions) => Server;
  readonly requiresPassword: () => boolean;
  readonly includeUsage: boolean;
  /** Milliseconds that answers have to end by themselves when the exporter stops. */
  readonly shutdownGraceMs: number;
  readonly log: Logger;
  /** But for tests, those of the proxy. */
  readonly metrics?: ProxyMetrics;
  readonly createReader?: WatchDependencies['createReader'];
}

export interface RunningProxy {
  readonly addresses: readonly BoundAddress[];
  readonly metrics: ProxyMetrics;
  /** Takes no new connection, and resolves when the answers under way have ended or were cut. */
  readonly close: () => Promise<void>;
}

/** @throws Error that names the address and what went wrong */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { listenOn, url, tls, createServer, requiresPassword, log } = options;
  const metrics = options.metrics ?? createProxyMetrics();
  const upstream = createUpstream(url, tls);
  const servers: Server[] = [];
  let stopping = false;
  const watching = {
    metrics,
    log,
    createReader: options.createReader ?? createReader,
    now: () => performance.now(),
  };
  const relay = createRelay({
    upstream,
    prefix: url.pathname.replace(/\/$/, ''),
    requiresPassword,
    includeUsage: options.includeUsage,
    watch: (api) => watch(api, watching),
    isStopping: () => stopping,
    log,
  });
  const close = async () => {
    stopping = true;
    await closeServers(servers, options.shutdownGraceMs);
    await upstream.close();
  };
  try {
    for (const address of listenOn) {
      const server = createServer(relay, LIMITS);
      server.maxHeadersCount = 0;
      servers.push(server);
      await listenAt(server, address);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const addresses = servers.map((server) => boundAddress(server.address()));
  for (const { hostname, port } of addresses) {
    log.info({ address: `${hostname}:${port}`, target: url.href }, 'Proxy listening');
  }
  return { addresses, metrics, close };
}

async function listenAt(server: Server, where: ListenAddress): Promise<void> {
  try {
    const host = where.host === undefined ? {} : { host: await addressOf(where.host) };
    await once(server.listen({ ...host, port: where.port, backlog: BACKLOG }), 'listening');
  } catch (cause) {
    throw new Error(`could not listen on ${where.text} (--proxy.listen-address): ${listenProblem(cause)}`, {
      cause,
    });
  }
}

async function closeServers(servers: readonly Server[], graceMs: number): Promise<void> {
  const closed = servers
    .filter(({ listening }) => listening)
    .map((server) => {
      const ended = once(server, 'close');
      server.close();
      return ended;
    });
  // A connection whose answer has ended would otherwise stay open for as long as its client keeps it.
  const idle = setInterval(() => servers.forEach((server) => void server.closeIdleConnections()), 100);
  const cut = setTimeout(() => servers.forEach((server) => void server.closeAllConnections()), graceMs);
  await Promise.all(closed);
  clearInterval(idle);
  clearTimeout(cut);
}
