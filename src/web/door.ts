/** Turns a web configuration file into servers whose every request passes it: TLS, rate limit, headers, passwords. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Logger } from 'pino';
import { type Guard, guarded, rateLimiter } from './guard.ts';
import { type Compare, Passwords } from './passwords.ts';
import { LiveSettings, readSettings } from './settings.ts';
import { TlsServer } from './tls-server.ts';

export interface DoorDependencies {
  readonly log: Logger;
  readonly compare: Compare;
  /** Milliseconds, of a clock that never goes back. */
  readonly now?: () => number;
}

export interface Door {
  /** Decided at the start: the file can't switch it later on. */
  readonly tls: boolean;
  /** Whether the file asks for HTTP/2, which is not served, by name. */
  readonly asksForHttp2: boolean;
  /** An http or https server whose every request passes the door before `handler`. */
  readonly createServer: (handler: RequestListener, options: ServerOptions) => Server | TlsServer;
}

/**
 * The file, and those that it names, are read again when they change.
 *
 * @throws FileError
 */
export function openDoor(file: string, { log, compare, now = monotonicMs }: DoorDependencies): Door {
  const settings = new LiveSettings(file, log);
  const { config, tls } = settings.now();
  const mayPass = rateLimiter(config.rateLimit, now);
  const guard: Guard = { settings, mayPass, passwords: new Passwords(compare), log };
  return {
    tls: tls !== undefined,
    asksForHttp2: tls !== undefined && config.http2 === true,
    createServer: (handler, options) => {
      const server =
        tls === undefined
          ? createServer(options)
          : new TlsServer(options, () => settings.now().tls ?? tls, log);
      return server
        .on('request', guarded(handler, guard))
        .on('checkContinue', guarded(continued(handler), guard))
        .on('checkExpectation', guarded(refuseExpectation, guard));
    },
  };
}

/**
 * Parses the file, and loads all certificates that it names.
 *
 * @throws FileError
 */
export function checkWebConfig(file: string): void {
  readSettings(file);
}

/** Left to Node.js, the body would be asked for before the password. */
function continued(handler: RequestListener): RequestListener {
  return (request, response) => {
    response.writeContinue();
    handler(request, response);
  };
}

/** What Node.js does, but behind the door. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(417).end();
}

function monotonicMs(): number {
  return performance.now();
}
