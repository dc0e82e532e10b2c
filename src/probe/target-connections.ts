/** Keeps the connections to targets between scrapes, for as long as they are likely to be used again. */
import { type ConnectionOptions, type Connections, IDLE_MS, openConnections } from '../ollama/connections.ts';

export interface TargetConnections {
  /**
   * Runs `work` with connections to `origin`: those of the last scrape, if there are any.
   *
   * @param worthKeeping whether the outcome is one of a server that will answer the next time too
   */
  readonly use: <T>(
    origin: string,
    options: ConnectionOptions,
    work: (connections: Connections) => Promise<T>,
    worthKeeping: (result: T) => boolean,
  ) => Promise<T>;
  /** Drops what is idle, and the rest as its work ends. */
  readonly close: () => void;
  /** Origins that are connected to, or about to be. */
  readonly size: () => number;
}

interface Kept {
  readonly connections: Connections;
  scrapes: number;
  idle: NodeJS.Timeout | undefined;
}

/** @param idleMs after which a target that nobody asks any more is forgotten */
export function keepConnections(idleMs = IDLE_MS): TargetConnections {
  const byOrigin = new Map<string, Kept>();
  let closed = false;

  const drop = (origin: string, { connections, idle }: Kept) => {
    clearTimeout(idle);
    byOrigin.delete(origin);
    void connections.close();
  };
  const release = (origin: string, kept: Kept, worthKeeping: boolean) => {
    kept.scrapes -= 1;
    if (kept.scrapes > 0) {
      return;
    }
    if (closed || !worthKeeping) {
      drop(origin, kept);
    } else {
      kept.idle = setTimeout(() => drop(origin, kept), idleMs).unref();
    }
  };

  return {
    use: async (origin, options, work, worthKeeping) => {
      const kept = byOrigin.get(origin) ?? {
        connections: openConnections(origin, options),
        scrapes: 0,
        idle: undefined,
      };
      byOrigin.set(origin, kept);
      clearTimeout(kept.idle);
      kept.scrapes += 1;
      let keep = false;
      try {
        const result = await work(kept.connections);
        keep = worthKeeping(result);
        return result;
      } finally {
        release(origin, kept, keep);
      }
    },
    close: () => {
      closed = true;
      for (const [origin, kept] of byOrigin) {
        if (kept.scrapes === 0) {
          drop(origin, kept);
        }
      }
    },
    size: () => byOrigin.size,
  };
}
