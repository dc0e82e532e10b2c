/** Turns requests into those that may reach the handler, and answers of its own for the others. */
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http';
import ipaddr from 'ipaddr.js';
import type { Logger } from 'pino';
import { messageOf } from '../log/error-text.ts';
import { parseCredentials } from './credentials.ts';
import type { LiveSettings } from './settings.ts';
import { TooManyChecksError, type Users } from './users.ts';

export interface GuardDependencies {
  readonly settings: LiveSettings;
  /** Draws a token. */
  readonly mayPass: () => boolean;
  readonly users: Users;
  readonly log: Logger;
}

/** The order is that of prometheus/exporter-toolkit (web/handler.go), and so are the answers. */
export function guardedBy(dependencies: GuardDependencies): (handler: RequestListener) => RequestListener {
  return (handler) => async (request, response) => {
    const status = await statusOf(dependencies, request, response);
    // Who hung up while the password was checked wants no scrape.
    if (status === undefined && !request.socket.destroyed) {
      handler(request, response);
    } else if (status !== undefined) {
      answer(response, status);
    }
  };
}

/** @returns what to refuse the request with; undefined: it may pass */
async function statusOf(
  { settings, mayPass, users, log }: GuardDependencies,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number | undefined> {
  const { config, usable } = settings.now();
  if (!usable) {
    return 500;
  }
  if (!mayPass()) {
    return 429;
  }
  for (const [name, value] of config.headers) {
    response.setHeader(name, value);
  }
  if (config.users.size === 0) {
    return undefined;
  }
  try {
    if (await isUser(users, config.users, request)) {
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
  users: Users,
  hashes: ReadonlyMap<string, string>,
  { headers, socket }: IncomingMessage,
): Promise<boolean> {
  const credentials = parseCredentials(headers.authorization);
  const client = { name: clientOf(socket.remoteAddress), isGone: () => socket.destroyed };
  return credentials !== undefined && users.admits(credentials, hashes, client);
}

/** @returns what stands for one client: an IPv4 address, or the /64 of an IPv6 one, since a client has all of it */
export function clientOf(remoteAddress: string | undefined): string {
  const [address = ''] = remoteAddress?.split('%') ?? [];
  return ipaddr.isValid(address) ? ipaddr.process(address).toByteArray().slice(0, 8).join('.') : '';
}

/** As Go's http.Error. Whoever may not come in shall not keep a connection. */
function answer(response: ServerResponse, status: number): void {
  response
    .writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      Connection: 'close',
    })
    .end(`${STATUS_CODES[status]}\n`);
}
