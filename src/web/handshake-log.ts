/** Logs failed TLS handshakes, of which one port scanner can cause thousands. */
import type { Logger } from 'pino';

const WARN_INTERVAL_MS = 3_600_000;

export interface FailedHandshake {
  /** Its address. */
  readonly client: string | undefined;
  /** Why it failed. */
  readonly err: string;
  /** Whether the client has sent nothing. */
  readonly silent: boolean;
}

/**
 * Each is logged at debug; and while they continue, one line per hour at warn, with their number since the previous
 * one. A client that sends nothing, such as a TCP health check, is not logged at warn.
 *
 * @param now milliseconds of a monotonic clock
 */
export function createHandshakeLog(log: Logger, now: () => number): (failed: FailedHandshake) => void {
  let failures = 0;
  let quietUntil = Number.NEGATIVE_INFINITY;
  return ({ client, err, silent }) => {
    log.debug({ client, err }, 'TLS handshake failed');
    if (silent) {
      return;
    }
    failures += 1;
    if (now() >= quietUntil) {
      log.warn({ failures, client, err }, 'TLS handshakes fail');
      failures = 0;
      quietUntil = now() + WARN_INTERVAL_MS;
    }
  };
}
