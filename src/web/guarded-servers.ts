/** Creates servers that pass on only requests that the web configuration file allows. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Logger } from 'pino';
import { type ConnectionCheck, type Guard, guarded, rateLimiter } from './guard.ts';
import { createHandshakeLog } from './handshake-log.ts';
import { type Compare, Passwords } from './passwords.ts';
import { createPipeliningLimit } from './pipelining.ts';
import { LiveSettings } from './settings.ts';
import { TlsServer } from './tls-server.ts';

export interface GuardDependencies {
  readonly log: Logger;
  readonly compare: Compare;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
  readonly handshakeTimeoutMs?: number;
  /** Requests on one connection. */
  readonly maxUnanswered?: number | undefined;
}

export interface GuardedServers {
  /** As at startup: a change of the file can't switch it. */
  readonly tls: boolean;
  /** Whether the file explicitly enables HTTP/2, which is not served. */
  readonly enablesHttp2: boolean;
  readonly requiresPassword: () => boolean;
  /** An http or https server; all share one rate limit, the cached passwords, and the handshake log. */
  readonly createServer: (handler: RequestListener, options: ServerOptions) => Server | TlsServer;
}

/**
 * The file, and the files that it names, are read again when they change.
 *
 * @throws FileError
 */
export function openGuardedServers(
  file: string,
  { log, compare, now = () => performance.now(), handshakeTimeoutMs, maxUnanswered }: GuardDependencies,
): GuardedServers {
  const settings = new LiveSettings(file, log);
  const { config, tls } = settings.now();
  const takeToken = rateLimiter(config.rateLimit, now);
  const guard: Guard = { settings, takeToken, passwords: new Passwords(compare), log };
  const onFailedHandshake = createHandshakeLog(log, now);
  return {
    tls: tls !== undefined,
    enablesHttp2: tls !== undefined && config.http2 === true,
    requiresPassword: () => settings.now().config.users.size > 0,
    createServer: (handler, options) => {
      const server =
        tls === undefined
          ? createServer(options)
          : new TlsServer(options, {
              settings: () => settings.now().tls ?? tls,
              onFailedHandshake,
              handshakeTimeoutMs,
            });
      const isStillAllowed: ConnectionCheck = (socket) =>
        !(server instanceof TlsServer) || server.isStillAllowed(socket);
      const limit = createPipeliningLimit(maxUnanswered);
      const limited = (then: RequestListener) => limit(guarded(then, guard, isStillAllowed));
      return server
        .on('request', limited(handler))
        .on('checkContinue', limited(continued(handler)))
        .on('checkExpectation', limited(refuseExpectation));
    },
  };
}

/** By default, Node.js would request the body before its password is checked. */
function continued(handler: RequestListener): RequestListener {
  return (request, response) => {
    response.writeContinue();
    handler(request, response);
  };
}

/** The default of Node.js, but only after the password is checked. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(417).end();
}
