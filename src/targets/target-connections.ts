/** Keeps the connections to targets between scrapes, for as long as they are likely to be used again. */
import { type Connections, IDLE_MS } from '../ollama/connections.ts';

/** Two connections each: beyond this, a fleet is better shared among exporters. */
const MAX_IDLE = 10_000;

export interface TargetConnections {
  /** Connections to `origin`: those of the last scrape, if there are any. */
  readonly lease: (origin: string) => Lease;
  /** Drops what is idle, and the rest as its work ends. */
  readonly close: () => void;
  /** Origins that are connected to, or about to be. */
  readonly size: () => number;
}

export interface Lease {
  readonly connections: Connections;
  /**
   * To be called once.
   *
   * @param worthKeeping whether this is a server that will answer the next time too
   */
  readonly end: (worthKeeping: boolean) => void;
}

interface Kept {
  readonly connections: Connections;
  scrapes: number;
}

/**
 * @param open connects to an origin
 * @param idleMs after which a target that nobody asks any more is forgotten
 * @param maxIdle beyond so many, the one that nobody has asked for longest is forgotten before its time
 */
export function keepConnections(
  open: (origin: string) => Connections,
  idleMs = IDLE_MS,
  maxIdle = MAX_IDLE,
): TargetConnections {
  const byOrigin = new Map<string, Kept>();
  /** Those that no scrape is at work with; the oldest comes first. */
  const idle = new Map<string, NodeJS.Timeout>();
  let closed = false;

  const wake = (origin: string) => {
    clearTimeout(idle.get(origin));
    idle.delete(origin);
  };
  const drop = (origin: string) => {
    wake(origin);
    void byOrigin.get(origin)?.connections.close();
    byOrigin.delete(origin);
  };
  const putToRest = (origin: string) => {
    idle.set(origin, setTimeout(() => drop(origin), idleMs).unref());
    const [oldest] = idle.keys();
    if (idle.size > maxIdle && oldest !== undefined) {
      drop(oldest);
    }
  };

  return {
    lease: (origin) => {
      const kept = byOrigin.get(origin) ?? { connections: open(origin), scrapes: 0 };
      byOrigin.set(origin, kept);
      wake(origin);
      kept.scrapes += 1;
      return {
        connections: kept.connections,
        end: (worthKeeping) => {
          kept.scrapes -= 1;
          if (kept.scrapes === 0) {
            worthKeeping && !closed ? putToRest(origin) : drop(origin);
          }
        },
      };
    },
    close: () => {
      closed = true;
      for (const origin of idle.keys()) {
        drop(origin);
      }
    },
    size: () => byOrigin.size,
  };
}
