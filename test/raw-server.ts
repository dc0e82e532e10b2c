/** A server that responds with arbitrary bytes. */
import { once } from 'node:events';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** Writes the response to `GET path`; by default sends the returned bytes at once. */
export type Respond = (path: string, socket: Socket) => string | Buffer | undefined;

export interface RawServer {
  readonly url: URL;
  readonly close: () => void;
}

export async function startRawServer(respond: Respond, tls?: TlsOptions): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (request) => {
      const [, path = ''] = String(request).split(' ');
      const response = respond(path, socket);
      if (response !== undefined) {
        socket.write(response);
      }
    });
  };
  const server: Server = tls ? createTlsServer(tls, serve) : createTcpServer(serve);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : '';
  return {
    url: new URL(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`),
    close: () => {
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
}

const BODIES: Readonly<Record<string, string>> = {
  '/api/ps': '{"models":[{"model":"a:1","size":7,"size_vram":7}]}',
  '/api/version': '{"version":"0.33.0"}',
};

function bodyOf(path: string): string {
  return BODIES[path] ?? '';
}

/** A response like Ollama's, with additional headers. */
export function responseOf(path: string, moreHead = ''): string {
  const body = bodyOf(path);
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${moreHead}\r\n${body}`;
}
