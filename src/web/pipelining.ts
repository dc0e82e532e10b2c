/** Limits the requests of one connection that are not answered yet, each of which takes memory. */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';

/** Prometheus and browsers send the next request after the response. */
const MAX_UNANSWERED = 8;

/**
 * Ends a connection with one more, of all handlers that share the limit. To leave it unread would not do: Node.js has parsed by then what came with it, up to
 * 2,500 requests in 64 KiB.
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
