/** Turns dependencies and addresses into an exporter that listens, and that can be closed in time. */
import { setMaxListeners } from 'node:events';
import type { FastifyInstance } from 'fastify';
import type { ListenAddress } from './listen-address.ts';
import { buildServer, type ServerDependencies } from './server.ts';

/** A service manager's patience is short, so closing takes less than 5 s: first scrapes may end of themselves, … */
const FINISH_MS = 3_000;
/** … then they have to answer with what they have, and then connections that are still open are cut. */
const ANSWER_MS = 1_000;

export interface Exporter {
  /** One for each address that was asked for, with the port that it got. */
  readonly urls: readonly URL[];
  /** Takes no new connection, lets the scrapes under way answer, and resolves within FINISH_MS + ANSWER_MS. */
  readonly close: () => Promise<void>;
}

/** @throws Error that names the address and what stands in the way */
export async function startExporter(
  addresses: readonly ListenAddress[],
  dependencies: Omit<ServerDependencies, 'stopping'>,
): Promise<Exporter> {
  const stopping = new AbortController();
  // Every scrape under way listens to it, and there may be any number; Node warns of a leak from the eleventh on.
  setMaxListeners(0, stopping.signal);
  const apps: FastifyInstance[] = [];
  const urls: URL[] = [];
  const close = () => closeAll(apps, stopping);
  try {
    for (const address of addresses) {
      const app = await buildServer({ ...dependencies, stopping: stopping.signal });
      apps.push(app);
      const url = new URL(await listen(app, address));
      dependencies.log.info({ address: url.host }, 'Listening');
      urls.push(url);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { urls, close };
}

async function closeAll(apps: readonly FastifyInstance[], stopping: AbortController): Promise<void> {
  const finish = setTimeout(() => stopping.abort(), FINISH_MS);
  const cut = setTimeout(() => {
    for (const app of apps) {
      app.server.closeAllConnections();
    }
  }, FINISH_MS + ANSWER_MS);
  await Promise.all(apps.map((app) => app.close()));
  clearTimeout(finish);
  clearTimeout(cut);
}

/** @returns the address that it listens on, as a URL */
async function listen(app: FastifyInstance, { host, port, text }: ListenAddress): Promise<string> {
  try {
    return await (host === undefined ? listenOnAll(app, port) : app.listen({ host, port }));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`could not listen on --web.listen-address ${JSON.stringify(text)}: ${problem}`, {
      cause,
    });
  }
}

/** `::` takes IPv4 too, unless the kernel has no IPv6. */
async function listenOnAll(app: FastifyInstance, port: number): Promise<string> {
  try {
    return await app.listen({ host: '::', port });
  } catch (error) {
    if (!(error instanceof Error && /EAFNOSUPPORT|EADDRNOTAVAIL/.test(error.message))) {
      throw error;
    }
    return await app.listen({ host: '0.0.0.0', port });
  }
}
