/** Limits the unanswered requests on one connection, each of which uses memory. */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';

/** Prometheus and browsers send the next request after the response. */
const MAX_UNANSWERED = 8;

/**
 * Closes a connection with more, counted over all handlers that share the limit. Pausing is not sufficient: by then
 * Node.js has parsed the rest of the received data, up to 2,500 requests in 64 KiB.
 */
export function createPipeliningLimit(
  maxUnanswered = MAX_UNANSWERED,
): (handler: RequestListener) => RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  const add = (socket: Socket, count: number) => {
    const sum = (unanswered.get(socket) ?? 0) + count;
    unanswered.set(socket, sum);
    return sum;
  };
  return (handler) => (request, response) => {
    const { socket } = request;
    if (socket.destroyed) {
      return;
    }
    response.once('close', () => add(socket, -1));
    if (add(socket, 1) > maxUnanswered) {
      socket.destroy();
    } else {
      handler(request, response);
    }
  };
}
