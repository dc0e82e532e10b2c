/** Turns `--web.config.file` into how servers are made: open to all without one, else behind TLS and passwords. */
import {
  createServer as createPlainServer,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { Logger } from 'pino';

export interface FrontDoor {
  readonly createServer: (handler: RequestListener, limits: ServerOptions) => Server;
  readonly close: () => Promise<void>;
}

/** @throws FileError */
export async function openFrontDoor(file: string | undefined, log: Logger): Promise<FrontDoor> {
  if (file === undefined) {
    return {
      createServer: (handler, limits) => createPlainServer(limits, handler),
      close: () => Promise.resolve(),
    };
  }
  // Imported only here, for the sake of those who have no such file.
  const { openDoor } = await import('./door.ts');
  const { bcryptThread } = await import('./bcrypt.ts');
  const { compare, close } = bcryptThread();
  const { tls, asksForHttp2, createServer } = openDoor(file, { log, compare });
  log.info({ file, tls }, 'Requests have to pass the web configuration file');
  if (asksForHttp2) {
    log.warn({ file }, 'HTTP/2 is not served, HTTP/1.1 is: http2 has no effect');
  }
  return { createServer, close };
}
