/** The undici Agent that requests go through: how it connects, and how long it keeps a connection. */
import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Agent, buildConnector, Pool } from 'undici';

/** Longer than the longest usual scrape interval, a minute, so that each scrape finds its connection open. */
const KEEP_ALIVE_MS = 90_000;

/** Two hundred models are 76 KB; what sends more than this is not Ollama. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export type TlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;

export interface AgentOptions {
  /** Milliseconds after which an attempt to connect is given up, even if no scrape waits for it any longer. */
  readonly connectTimeoutMs: number;
  /** Called for each new connection by https, since certificates rotate. */
  readonly tls?: (() => Promise<TlsOptions>) | undefined;
  /** Milliseconds that an idle connection is kept. */
  readonly keepAliveMs?: number;
  /** Resolves the name of a target; a ForbiddenAddressError from it comes out of the request as it is. */
  readonly lookupFor?: ((target: URL) => LookupFunction) | undefined;
}

/**
 * Connections are kept by origin, and forgotten when they have been idle. Without `connections: 1`, so that an
 * `/api/ps` that hangs does not hold up `/api/version`. The signal of each request is its only deadline.
 */
export function createAgent({
  connectTimeoutMs,
  keepAliveMs = KEEP_ALIVE_MS,
  tls,
  lookupFor,
}: AgentOptions): Agent {
  return new Agent({
    keepAliveTimeout: keepAliveMs,
    maxResponseSize: MAX_BODY_BYTES,
    headersTimeout: 0,
    bodyTimeout: 0,
    factory: (origin, options) => {
      const lookup = lookupFor?.(new URL(origin));
      return new Pool(origin, {
        ...options,
        connect: connector({ timeout: connectTimeoutMs, ...(lookup && { lookup }) }, tls),
      });
    },
  });
}

function connector(options: buildConnector.BuildOptions, tls: AgentOptions['tls']): buildConnector.connector {
  // The name that the certificate must have does not follow the Host header, as it does in undici.
  return ({ servername: _ofHostHeader, ...target }, callback) => {
    const connect = (certificates: TlsOptions) => {
      try {
        buildConnector({ ...options, ...certificates })(target, callback);
      } catch (error) {
        // A certificate or key that OpenSSL can't use.
        callback(asError(error), null);
      }
    };
    if (target.protocol === 'https:' && tls !== undefined) {
      tls().then(connect, (error) => callback(asError(error), null));
    } else {
      connect({});
    }
  };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
