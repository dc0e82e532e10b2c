/** Logs rejected probes: one line per client and window, so that none can fill the disk. */
import type { Logger } from 'pino';
import { addressOf, networkOf } from '../web/clients.ts';

const WINDOW_MS = 10_000;
/** Clients per window; the others share one line. */
const MAX_CLIENTS = 100;
const OTHERS = 'others';

/** @param fields to log for the first one: its target and the reason */
export type LogRefusal = (client: string, fields: object) => void;

export function createRefusalLog(log: Logger, windowMs = WINDOW_MS): LogRefusal {
  const more = new Map<string, number>();
  return (address, fields) => {
    // A client has all addresses of its IPv6 /64.
    const network = networkOf(address);
    const known = more.has(network) || more.size < MAX_CLIENTS;
    const [key, client] = known ? [network, address] : [OTHERS, OTHERS];
    const count = more.get(key);
    if (count !== undefined) {
      more.set(key, count + 1);
      return;
    }
    more.set(key, 0);
    log.warn({ client: addressOf(client), ...fields }, 'Refused a probe');
    setTimeout(() => {
      const probes = more.get(key) ?? 0;
      more.delete(key);
      if (probes > 0) {
        log.warn({ client: addressOf(client), probes }, 'Refused more probes');
      }
    }, windowMs).unref();
  };
}
