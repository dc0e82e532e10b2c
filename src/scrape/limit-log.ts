/** Logs refusals: when they start, and when they have ended. */
import type { Logger } from 'pino';

/** Longer than the longest common scrape interval, so that bursts at each scrape are logged as one. */
const QUIET_MS = 120_000;

/**
 * @param what the rejected requests, in the plural
 * @param limit the name of the limit, for the log
 * @returns a function to call for each refusal
 */
export function createLimitLog(log: Logger, what: string, limit: object): () => void {
  let refused = 0;
  let quiet: NodeJS.Timeout | undefined;
  const end = () => {
    log.info({ refused }, `No longer refusing ${what}`);
    refused = 0;
  };
  return () => {
    refused += 1;
    if (refused === 1) {
      log.warn(limit, `Refusing ${what}: the limit is reached`);
      quiet = setTimeout(end, QUIET_MS).unref();
    } else {
      quiet?.refresh();
    }
  };
}
