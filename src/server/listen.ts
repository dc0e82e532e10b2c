/** Listens on the addresses of the options, and closes in time. */
import { lookup } from 'node:dns/promises';
import { setMaxListeners } from 'node:events';
import { isIPv6 } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { ListenAddress } from '../config/listen-address.ts';
import { messageOf } from '../log/error-text.ts';
import { buildServer } from './app.ts';
import type { ServerDependencies } from './dependencies.ts';

/** A service manager's patience is short, so closing takes less than 5 s: first scrapes may end of themselves, … */
const FINISH_MS = 3_000;
/** … then they have to answer with what they have, and then connections that are still open are cut. */
const ANSWER_MS = 1_000;

/** Connections that may wait to be accepted, up to the kernel's limit, as in Go. Node's 511 makes a storm try anew. */
const BACKLOG = 4_096;

export interface BoundAddress {
  /** As in a URL: IPv6 in brackets. */
  readonly hostname: string;
  readonly port: number;
}

export interface Listening {
  /** One for each address of the options, with the port that it got. */
  readonly addresses: readonly BoundAddress[];
  /** Takes no new connection, lets the scrapes under way answer, and resolves within FINISH_MS + ANSWER_MS. */
  readonly close: () => Promise<void>;
}

/** @throws Error that names the address and what stands in the way */
export async function listen(
  addresses: readonly ListenAddress[],
  dependencies: Omit<ServerDependencies, 'closing' | 'stopping'>,
): Promise<Listening> {
  const closing = new AbortController();
  const stopping = new AbortController();
  // Each scrape under way listens to it.
  setMaxListeners(0, stopping.signal);
  const apps: FastifyInstance[] = [];
  const bound: BoundAddress[] = [];
  const close = () => closeAll(apps, closing, stopping);
  try {
    for (const address of addresses) {
      const app = buildServer({ ...dependencies, closing: closing.signal, stopping: stopping.signal });
      apps.push(app);
      const { hostname, port } = await listenOn(app, address);
      dependencies.log.info({ address: `${hostname}:${port}` }, 'Listening');
      bound.push({ hostname, port });
    }
  } catch (error) {
    await close();
    throw error;
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
  }, FINISH_MS + ANSWER_MS);
  await Promise.all(apps.map((app) => app.close()));
  clearTimeout(finish);
  clearTimeout(cut);
}

async function listenOn(app: FastifyInstance, { host, port, text }: ListenAddress): Promise<BoundAddress> {
  try {
    if (host === undefined) {
      await listenOnAll(app, port);
    } else {
      await app.listen({ host: await addressOf(host), port, backlog: BACKLOG });
    }
  } catch (cause) {
    const problem = messageOf(cause);
    throw new Error(`could not listen on ${JSON.stringify(text)} (--web.listen-address): ${problem}`, {
      cause,
    });
  }
  return boundAddress(app.server.address());
}

function boundAddress(bound: ReturnType<FastifyInstance['server']['address']>): BoundAddress {
  if (bound === null || typeof bound === 'string') {
    throw new Error(`listening on ${bound}, which is no address of the network`);
  }
  const { address, port } = bound;
  return { hostname: isIPv6(address) ? `[${address}]` : address, port };
}

/** IPv4 before IPv6, as in Go. Left to Fastify, `localhost` would open a second server that close() does not know. */
async function addressOf(host: string): Promise<string> {
  const addresses = await lookup(host, { all: true });
  return addresses.sort((a, b) => a.family - b.family)[0]?.address ?? host;
}

/** `::` takes IPv4 too, unless the kernel has no IPv6. */
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
