/** The undici Agents that requests go through: how they connect, and how long they keep a connection. */
import type { LookupFunction, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Agent, buildConnector, Client, type Dispatcher } from 'undici';
import { MAX_BODY_BYTES } from './body.ts';
import { connectToFirst } from './connect.ts';
import { type IdleConnections, limitIdleConnections } from './idle-connections.ts';
import { skipInterimResponses } from './interim.ts';

/** Longer than the longest common scrape interval, a minute, so that each scrape reuses its connection. */
const KEEP_ALIVE_MS = 90_000;

/** After this time, a changed DNS entry takes effect, even if the old address still responds. */
const CONNECTION_MS = 5 * 60_000;

const IDLE_CONNECTIONS = limitIdleConnections();

export type TlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;

export interface AgentOptions {
  /** Milliseconds after which a connection attempt is abandoned, even if no scrape waits for it any longer. */
  readonly connectTimeoutMs: number;
  /** Called for each new https connection, since certificates rotate. */
  readonly tls?: (() => Promise<TlsOptions>) | undefined;
  /** Milliseconds that an idle connection is kept. */
  readonly keepAliveMs?: number;
  /** Milliseconds after which a connection is not reused. */
  readonly connectionMs?: number;
  /** Maximum bytes of a response body. */
  readonly maxBodyBytes?: number;
  /** That of the process by default; another one in tests. */
  readonly idleConnections?: IdleConnections;
  /** Resolves the name of a target; a ForbiddenAddressError from it is passed on by the request. */
  readonly lookupFor?: ((target: URL) => LookupFunction) | undefined;
}

/** By the name of the request in `/api/…`: an `/api/ps` that hangs must not delay `/api/version`. */
export interface Agents {
  readonly ps: Agent;
  readonly version: Agent;
  readonly tags: Agent;
  readonly show: Agent;
}

export function createAgents(options: AgentOptions): Agents {
  const agent = () => createAgent(options);
  return { ps: agent(), version: agent(), tags: agent(), show: agent() };
}

/**
 * Connections are kept by origin, one for each, and dropped when idle: a Client each, since an empty Pool takes 16 KB.
 * The signal of each request is its only deadline.
 */
export function createAgent({
  connectTimeoutMs: timeoutMs,
  keepAliveMs = KEEP_ALIVE_MS,
  connectionMs = CONNECTION_MS,
  maxBodyBytes = MAX_BODY_BYTES,
  idleConnections = IDLE_CONNECTIONS,
  tls,
  lookupFor,
}: AgentOptions): Agent {
  return new Agent({
    keepAliveTimeout: keepAliveMs,
    maxResponseSize: maxBodyBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
    factory: (origin, options) => {
      const connect = connector({
        timeoutMs,
        tls,
        lookup: lookupFor?.(new URL(origin)),
        onConnect: (socket) => idleConnections.add(socket, () => client.stats.size === 0),
      });
      const client: Client = new AgingClient(origin, { ...options, connect }, connectionMs);
      return client;
    },
  });
}

/** A subclass, since an interceptor of undici makes it parse the headers of each response twice. */
class AgingClient extends Client {
  readonly #connectionMs: number;
  #connectedAt = 0;

  /** @param connectionMs milliseconds after which the connection is replaced */
  constructor(origin: string | URL, options: Client.Options, connectionMs: number) {
    super(origin, options);
    this.#connectionMs = connectionMs;
    this.on('connect', () => {
      this.#connectedAt = performance.now();
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // `reset` makes the server close the connection after its response.
    const reset = this.stats.connected && performance.now() - this.#connectedAt > this.#connectionMs;
    return super.dispatch({ ...options, reset }, handler);
  }
}

export interface ConnectorOptions {
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly tls: AgentOptions['tls'];
  readonly lookup: LookupFunction | undefined;
  readonly onConnect: (socket: Socket) => void;
}

/** Connects to the first address that accepts, with TLS for https. */
export function connector({ timeoutMs, tls, lookup, onConnect }: ConnectorOptions): buildConnector.connector {
  const connect = async (target: buildConnector.Options): Promise<Socket> => {
    const isHttps = target.protocol === 'https:';
    const options = isHttps ? await tls?.() : undefined;
    const port = Number(target.port || (isHttps ? 443 : 80));
    const socket = await connectToFirst({ hostname: target.hostname, port }, timeoutMs, lookup);
    return isHttps ? await handshake(socket, target, { ...options, timeout: timeoutMs }) : socket;
  };
  // Unlike in undici, the expected name of the certificate does not depend on the Host header.
  return ({ servername: _ofHostHeader, ...target }, callback) => {
    connect(target).then(
      (socket) => {
        onConnect(socket);
        skipInterimResponses(socket);
        callback(null, socket);
      },
      (error) => callback(asError(error), null),
    );
  };
}

/** @throws Error, also for a certificate or key that OpenSSL can't use; the connection is then closed */
async function handshake(
  httpSocket: Socket,
  target: buildConnector.Options,
  options: buildConnector.BuildOptions,
): Promise<Socket> {
  try {
    return await new Promise((resolve, reject) => {
      const done: buildConnector.Callback = (error, socket) => (error ? reject(error) : resolve(socket));
      buildConnector(options)({ ...target, httpSocket }, done);
    });
  } catch (error) {
    httpSocket.destroy();
    throw error;
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
