/** An Ollama whose responses and failures the test defines. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';

export interface FakeOllama {
  readonly url: URL;
  readonly server: Server;
  /** Open connections. */
  readonly connections: ReadonlySet<Socket>;
  readonly close: () => Promise<void>;
}

export interface Handlers {
  ps: RequestListener;
  version: RequestListener;
  tags?: RequestListener;
  show?: RequestListener;
}

export const VERSION_BODY = '{"version":"0.33.0"}';

/** Sends a body like Ollama does. */
export function json(body: string): RequestListener {
  return (_request, response) => {
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.end(body);
  };
}

/** The handlers can be changed while it runs. Port 0 lets the system choose a free port. */
export async function startFakeOllama(handlers: Handlers, port = 0, host = '127.0.0.1'): Promise<FakeOllama> {
  const connections = new Set<Socket>();
  const server = createServer((request, response) => {
    const { ps, version, tags, show } = handlers;
    const handler = { '/api/ps': ps, '/api/version': version, '/api/tags': tags, '/api/show': show }[
      request.url ?? ''
    ];
    if (handler === undefined) {
      response.writeHead(404).end('404 page not found');
    } else {
      handler(request, response);
    }
  });
  // Like Ollama, which never closes an idle connection.
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  const address = server.address();
  const url = new URL(`http://${host}:${typeof address === 'object' ? address?.port : ''}`);
  return { url, server, connections, close: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
