/** Logs probes that are refused: one line for each client in a while, so that none can fill the disk. */
import type { Logger } from 'pino';

const WINDOW_MS = 10_000;
/** Clients in a window; those beyond share one line. */
const MAX_CLIENTS = 1_000;
const OTHERS = 'others';

/** @param fields what to log of the first one: its target and why it was refused */
export type LogRefusal = (client: string, fields: object) => void;

export function createRefusalLog(log: Logger, windowMs = WINDOW_MS): LogRefusal {
  const more = new Map<string, number>();
  return (address, fields) => {
    const client = more.has(address) || more.size < MAX_CLIENTS ? address : OTHERS;
    const count = more.get(client);
    if (count !== undefined) {
      more.set(client, count + 1);
      return;
    }
    more.set(client, 0);
    log.warn({ client, ...fields }, 'Refused a probe');
    setTimeout(() => {
      const probes = more.get(client) ?? 0;
      more.delete(client);
      if (probes > 0) {
        log.warn({ client, probes }, 'Refused more probes');
      }
    }, windowMs).unref();
  };
}
