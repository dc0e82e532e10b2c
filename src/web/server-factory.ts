/** Creates the exporter's servers: plain HTTP, or with `--web.config.file` TLS and authentication. */
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Logger } from 'pino';
import { createPipeliningLimit } from './pipelining.ts';

export interface ServerFactory {
  /** undefined without a web configuration. */
  readonly tls: boolean | undefined;
  readonly createServer: (handler: RequestListener, limits: ServerOptions) => Server;
  /** Whether requests currently need a password: `Authorization` is then for this server. */
  readonly requiresPassword: () => boolean;
  readonly close: () => Promise<void>;
}

/**
 * @param maxUnanswered requests on one connection; by default that of the exporter's own listeners
 * @throws FileError
 */
export async function openServerFactory(
  file: string | undefined,
  log: Logger,
  maxUnanswered?: number,
): Promise<ServerFactory> {
  if (file === undefined) {
    return {
      tls: undefined,
      createServer: (handler, limits) => createServer(limits, createPipeliningLimit(maxUnanswered)(handler)),
      requiresPassword: () => false,
      close: () => Promise.resolve(),
    };
  }
  // Imported only here, so that the exporter starts faster without such a file.
  const { openGuardedServers } = await import('./guarded-servers.ts');
  const { bcryptThread } = await import('./bcrypt.ts');
  const { compare, close } = bcryptThread();
  const guarded = openGuardedServers(file, { log, compare, maxUnanswered });
  if (guarded.enablesHttp2) {
    log.warn({ file }, 'HTTP/2 is not supported: http2 has no effect');
  }
  const { tls, createServer: createGuarded, requiresPassword } = guarded;
  return { tls, createServer: createGuarded, requiresPassword, close };
}
