/** Listens in front of Ollama, and shuts down gracefully. */
import { once } from 'node:events';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { Logger } from 'pino';
import type { ListenAddress } from '../config/listen-address.ts';
import type { TlsOptions } from '../ollama/agent.ts';
import { addressOf, type BoundAddress, boundAddress, listenProblem } from '../server/listen.ts';
import { closeUnused } from '../server/unused-connections.ts';
import { MAX_HEADERS } from './head.ts';
import { createProxyMetrics, type ProxyMetrics } from './proxy-metrics.ts';
import { createReader } from './reader.ts';
import { createRelay } from './relay.ts';
import { createUpstream } from './upstream.ts';
import { type WatchDependencies, watch } from './watch.ts';

/** The limit of Go's net/http, and so of Ollama. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** There is no limit on the duration and size of requests and responses. */
const LIMITS: ServerOptions = {
  headersTimeout: 60_000,
  requestTimeout: 0,
  // Longer than clients keep their connections, so that none sends a request on a connection that is being closed.
  keepAliveTimeout: 90_000,
  maxHeaderSize: MAX_HEADER_BYTES,
};

/** The same as for the exporter's own listeners. */
const BACKLOG = 4_096;

export interface ProxyOptions {
  readonly listenOn: readonly ListenAddress[];
  /** Of Ollama. */
  readonly url: URL;
  /** Called for each new https connection to Ollama. */
  readonly tls: () => Promise<TlsOptions>;
  /** Creates the server, with TLS and authentication if configured. */
  readonly createServer: (handler: RequestListener, limits: ServerOptions) => Server;
  readonly requiresPassword: () => boolean;
  readonly includeUsage: boolean;
  /** Milliseconds that responses have to finish at shutdown. */
  readonly shutdownGraceMs: number;
  readonly log: Logger;
  /** Replaced in tests. */
  readonly metrics?: ProxyMetrics;
  readonly createReader?: WatchDependencies['createReader'];
}

export interface RunningProxy {
  readonly addresses: readonly BoundAddress[];
  readonly metrics: ProxyMetrics;
  /** Stops accepting connections, and resolves when running responses have finished or were cut off. */
  readonly close: () => Promise<void>;
}

/** @throws Error that names the address and the problem */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { listenOn, url, tls, createServer, requiresPassword, log } = options;
  const metrics = options.metrics ?? createProxyMetrics();
  const upstream = createUpstream(url, tls);
  const servers: Server[] = [];
  const stopping = new AbortController();
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
    isStopping: () => stopping.signal.aborted,
    log,
  });
  const close = async () => {
    stopping.abort();
    await closeServers(servers, options.shutdownGraceMs);
    await upstream.close();
  };
  try {
    for (const address of listenOn) {
      const server = createServer(relay, LIMITS);
      // Node.js drops further ones, so that one more is needed to see them.
      server.maxHeadersCount = MAX_HEADERS + 1;
      closeUnused(server, stopping.signal);
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
  // Otherwise a kept-alive connection whose response has finished would stay open as long as its client likes.
  const idle = setInterval(() => servers.forEach((server) => void server.closeIdleConnections()), 100);
  const cut = setTimeout(() => servers.forEach((server) => void server.closeAllConnections()), graceMs);
  await Promise.all(closed);
  clearInterval(idle);
  clearTimeout(cut);
}
