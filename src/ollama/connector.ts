/** Turns options into how undici connects, with certificates as they are at that moment. */
import type { LookupFunction } from 'node:net';
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { buildConnector } from 'undici';

export type TlsOptions = Pick<
  TlsConnectionOptions,
  'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'
>;

export interface ConnectorOptions {
  /** Milliseconds after which an attempt to connect is given up, even if nobody waits for it any more. */
  readonly connectTimeoutMs: number;
  /** Asked for at each new connection by https, as certificates rotate. */
  readonly tls?: (() => Promise<TlsOptions>) | undefined;
  /** Resolves host names; a ForbiddenAddressError from it comes out of the call as it is. */
  readonly lookup?: LookupFunction | undefined;
}

export function createConnector({
  connectTimeoutMs,
  lookup,
  tls,
}: ConnectorOptions): buildConnector.connector {
  const build = (options: TlsOptions) =>
    buildConnector({ ...(lookup && { lookup }), ...options, timeout: connectTimeoutMs });
  // Whom the certificate has to name must not follow the Host header, as it does in undici.
  return ({ servername: _ofHostHeader, ...target }, callback) => {
    const connect = (options: TlsOptions) => {
      try {
        build(options)(target, callback);
      } catch (error) {
        // A certificate or key that makes no sense.
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
