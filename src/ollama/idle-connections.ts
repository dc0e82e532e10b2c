/** Limits idle connections: a client of /probe can make up names, and each leaves one connection per API. */
import type { Socket } from 'node:net';

/** For 500 names behind one gateway. */
const MAX_PER_ADDRESS = 1_000;
/** For 6,000 servers. */
const MAX_IN_ALL = 12_000;

interface Connection {
  readonly socket: Socket;
  readonly isIdle: () => boolean;
}

export interface IdleConnections {
  /** Adds a connection; above the limit, closes the oldest idle one. */
  readonly add: (socket: Socket, isIdle: () => boolean) => void;
}

export function limitIdleConnections(
  maxPerAddress = MAX_PER_ADDRESS,
  maxInAll = MAX_IN_ALL,
): IdleConnections {
  const all = new Set<Connection>();
  const byAddress = new Map<string, Set<Connection>>();
  return {
    add: (socket, isIdle) => {
      const address = socket.remoteAddress ?? '';
      const ofAddress = byAddress.get(address) ?? new Set<Connection>();
      byAddress.set(address, ofAddress);
      const connection = { socket, isIdle };
      all.add(connection);
      ofAddress.add(connection);
      socket.once('close', () => {
        all.delete(connection);
        ofAddress.delete(connection);
        if (ofAddress.size === 0) {
          byAddress.delete(address);
        }
      });
      closeOldestBeyond(maxPerAddress, ofAddress);
      closeOldestBeyond(maxInAll, all);
    },
  };
}

function closeOldestBeyond(most: number, connections: ReadonlySet<Connection>): void {
  if (connections.size <= most) {
    return;
  }
  for (const { socket, isIdle } of connections) {
    if (!socket.destroyed && isIdle()) {
      socket.destroy();
      return;
    }
  }
}
