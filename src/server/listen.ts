/** Listens on the configured addresses, and closes in time. */
import { lookup } from 'node:dns/promises';
import { setMaxListeners } from 'node:events';
import { isIPv6 } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { ListenAddress } from '../config/listen-address.ts';
import type { InheritedSocket } from '../config/systemd-sockets.ts';
import { messageOf } from '../log/error-text.ts';
import { buildServer } from './app.ts';
import type { ServerDependencies } from './dependencies.ts';
import { closeUnused } from './unused-connections.ts';

/** Service managers have short timeouts, so closing takes less than 5 s: first scrapes may finish, … */
const FINISH_MS = 3_000;
/** … then they must return partial results, and then open connections are closed. */
const RESPONSE_MS = 1_000;

/** Connections waiting to be accepted, up to the kernel's limit, as in Go. With Node's 511, a burst must retry. */
const BACKLOG = 4_096;

export interface BoundAddress {
  /** As in a URL: IPv6 in brackets. */
  readonly hostname: string;
  readonly port: number;
}

export interface Listening {
  /** One for each configured address, with its actual port. */
  readonly addresses: readonly BoundAddress[];
  /** Stops accepting connections, lets running scrapes finish, and resolves within FINISH_MS + RESPONSE_MS. */
  readonly close: () => Promise<void>;
}

/** Logs the addresses once it listens on all of them. @throws Error that names the address and the problem */
export async function listen(
  addresses: readonly (ListenAddress | InheritedSocket)[],
  dependencies: Omit<ServerDependencies, 'closing' | 'stopping'>,
): Promise<Listening> {
  const closing = new AbortController();
  const stopping = new AbortController();
  // Each running scrape adds a listener.
  setMaxListeners(0, stopping.signal);
  const apps: FastifyInstance[] = [];
  const bound: BoundAddress[] = [];
  const close = () => closeAll(apps, closing, stopping);
  try {
    for (const address of addresses) {
      const app = buildServer({ ...dependencies, closing: closing.signal, stopping: stopping.signal });
      apps.push(app);
      closeUnused(app.server, closing.signal);
      bound.push(await listenOn(app, address));
    }
  } catch (error) {
    await close();
    throw error;
  }
  for (const { hostname, port } of bound) {
    dependencies.log.info({ address: `${hostname}:${port}` }, 'Listening');
  }
  return { addresses: bound, close };
}

async function closeAll(
  apps: readonly FastifyInstance[],
  closing: AbortController,
  stopping: AbortController,
): Promise<void> {
  closing.abort(new Error('the exporter is stopping'));
  const finish = setTimeout(() => stopping.abort(new Error('the exporter is stopping')), FINISH_MS);
  const cut = setTimeout(() => {
    for (const app of apps) {
      app.server.closeAllConnections();
    }
  }, FINISH_MS + RESPONSE_MS);
  await Promise.all(apps.map((app) => app.close()));
  clearTimeout(finish);
  clearTimeout(cut);
}

async function listenOn(app: FastifyInstance, where: ListenAddress | InheritedSocket): Promise<BoundAddress> {
  try {
    if ('fd' in where) {
      await listenOnInherited(app, where.fd);
    } else if (where.host === undefined) {
      await listenOnAll(app, where.port);
    } else {
      await app.listen({ host: await addressOf(where.host), port: where.port, backlog: BACKLOG });
    }
    return boundAddress(app.server.address());
  } catch (cause) {
    const option = 'fd' in where ? '--web.systemd-socket' : '--web.listen-address';
    throw new Error(`could not listen on ${where.text} (${option}): ${listenProblem(cause)}`, { cause });
  }
}

/** Fastify passes the descriptor to Node.js, which then ignores host and port; `localhost` would be a second server. */
async function listenOnInherited(app: FastifyInstance, fd: number): Promise<void> {
  // Node.js has no address for a Unix socket that it did not bind, and Fastify would throw outside any `try`.
  const address = app.server.address.bind(app.server);
  app.server.address = () => address() ?? 'unix';
  const inherited = { fd, host: '::', port: 0, backlog: BACKLOG };
  await app.listen(inherited);
}

/** Without the address, which Node.js repeats in its message. */
export function listenProblem(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : Number.NaN;
  const [code, text] = getSystemErrorMap().get(errno) ?? [];
  return code === undefined ? messageOf(error) : `${text} (${code})`;
}

/** @throws Error for a socket that is not TCP */
export function boundAddress(bound: ReturnType<FastifyInstance['server']['address']>): BoundAddress {
  if (bound === null || typeof bound === 'string') {
    throw new Error('the socket is not a TCP socket');
  }
  const { address, port } = bound;
  return { hostname: isIPv6(address) ? `[${address}]` : address, port };
}

/** IPv4 before IPv6, as in Go. Left to Fastify, `localhost` would open a second server, which close() does not close. */
export async function addressOf(host: string): Promise<string> {
  const addresses = await lookup(host, { all: true });
  return addresses.sort((a, b) => a.family - b.family)[0]?.address ?? host;
}

/** `::` accepts IPv4 too, unless the kernel has no IPv6. */
async function listenOnAll(app: FastifyInstance, port: number): Promise<void> {
  try {
    await app.listen({ host: '::', port, backlog: BACKLOG });
  } catch (error) {
    if (
      !(
        error instanceof Error &&
        'code' in error &&
        /^(EAFNOSUPPORT|EADDRNOTAVAIL)$/.test(String(error.code))
      )
    ) {
      throw error;
    }
    await app.listen({ host: '0.0.0.0', port, backlog: BACKLOG });
  }
}
