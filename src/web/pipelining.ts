/** Limits the unanswered requests of one connection, each of which takes memory. */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';

/** Prometheus and browsers send the next request after the response. */
const MAX_UNANSWERED = 8;

/**
 * Closes a connection with one more, counted over all handlers that share the limit. Not reading on is not enough: by
 * then Node.js has parsed the rest of what arrived, up to 2,500 requests in 64 KiB.
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
