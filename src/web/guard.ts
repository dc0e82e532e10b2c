/** Decides which requests reach the handler, and rejects the others. */
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { messageOf } from '../log/error-text.ts';
import { networkOf } from './clients.ts';
import { type Credentials, type Passwords, TooManyChecksError } from './passwords.ts';
import type { LiveSettings } from './settings.ts';
import type { RateLimit } from './web-config.ts';

export interface Guard {
  readonly settings: LiveSettings;
  /** Takes a token. */
  readonly takeToken: () => boolean;
  readonly passwords: Passwords;
  readonly log: Logger;
}

/** @returns whether a connection may have more requests; with TLS not if the client rules have changed */
export type ConnectionCheck = (socket: Socket) => boolean;

/** Checks in the order of prometheus/exporter-toolkit (web/handler.go), with the same responses. */
export function guarded(
  handler: RequestListener,
  guard: Guard,
  isStillAllowed: ConnectionCheck,
): RequestListener {
  return async (request, response) => {
    if (!isStillAllowed(request.socket)) {
      // The client tries again on another connection, whose handshake decides.
      request.socket.destroy();
      return;
    }
    const status = await statusOf(guard, request, response);
    if (request.socket.destroyed) {
      // The client disconnected while its password was checked: a scrape would be wasted.
      return;
    }
    if (status === undefined) {
      handler(request, response);
    } else {
      respond(response, status);
    }
  };
}

/** @returns the status of the rejection; undefined: the request is accepted */
async function statusOf(
  { settings, takeToken, passwords, log }: Guard,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number | undefined> {
  const { config, usable } = settings.now();
  if (!usable) {
    return 500;
  }
  if (!takeToken()) {
    return 429;
  }
  for (const [name, value] of config.headers) {
    response.setHeader(name, value);
  }
  if (config.users.size === 0) {
    return undefined;
  }
  try {
    if (await isUser(passwords, config.users, request)) {
      return undefined;
    }
  } catch (error) {
    if (error instanceof TooManyChecksError) {
      return 429;
    }
    log.error({ err: messageOf(error) }, 'Unable to check a password');
    return 500;
  }
  response.setHeader('WWW-Authenticate', 'Basic');
  return 401;
}

async function isUser(
  passwords: Passwords,
  users: ReadonlyMap<string, string>,
  { headers, socket }: IncomingMessage,
): Promise<boolean> {
  const credentials = parseCredentials(headers.authorization);
  const client = { address: networkOf(socket.remoteAddress), hasDisconnected: () => socket.destroyed };
  return credentials !== undefined && (await passwords.check(credentials, users, client)) === true;
}

const BASIC = /^basic /i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** By the rules of Go's Request.BasicAuth; text that isn't UTF-8 is ignored, since no hash could match it. */
export function parseCredentials(authorization: string | undefined): Credentials | undefined {
  const encoded = authorization?.replace(BASIC, '');
  if (encoded === undefined || encoded === authorization || !BASE64.test(encoded)) {
    return undefined;
  }
  const pair = utf8(Buffer.from(encoded, 'base64'));
  const colon = pair?.indexOf(':') ?? -1;
  return pair === undefined || colon < 0
    ? undefined
    : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** @returns whether a request is allowed now; by the rules of Go's golang.org/x/time/rate */
export function rateLimiter({ intervalMs, burst }: RateLimit, now: () => number): () => boolean {
  if (intervalMs === 0) {
    return () => true;
  }
  let tokens = burst;
  let last = now();
  return () => {
    const time = now();
    tokens = Math.min(burst, tokens + (time - last) / intervalMs);
    last = time;
    if (tokens < 1) {
      return false;
    }
    tokens -= 1;
    return true;
  };
}

/** Like Go's http.Error. The connection of a rejected client is closed. */
function respond(response: ServerResponse, status: number): void {
  response
    .writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      Connection: 'close',
    })
    .end(`${STATUS_CODES[status]}\n`);
}
