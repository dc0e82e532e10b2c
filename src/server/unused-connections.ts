/** Connections on which a client has sent nothing yet. Browsers open some in advance. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** A client that connected to send a request has sent a part of it by then. */
const FIRST_BYTE_MS = 500;

/**
 * Closes unused connections when the server is closing. Node.js counts them as active until their first request
 * (`Parser::Initialize` in node_http_parser.cc), so that they would delay the shutdown as long as a request that hangs.
 *
 * @param server http or https, before it listens
 * @param closing fires when the server stops accepting connections
 */
export function closeUnused(server: Server, closing: AbortSignal): void {
  const open = new Set<Socket>();
  const follow = (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  server.on('connection', follow);
  // The connection below TLS counts the bytes of the handshake.
  server.on('secureConnection', follow);
  const close = () =>
    [...open].filter(({ bytesRead }) => bytesRead === 0).forEach((socket) => void socket.destroy());
  closing.addEventListener('abort', () => void setTimeout(close, FIRST_BYTE_MS).unref());
}
