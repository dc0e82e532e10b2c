/** Turns refusals into log lines: one when they begin, one when they have ended. */
import type { Logger } from 'pino';

/** Longer than the longest usual scrape interval, so that a burst at each scrape is not a beginning and an end each. */
const QUIET_MS = 120_000;

/**
 * @param the rejected requests, in the plural
 * @param limit the name of the limit, for the log
 * @returns a function to be called for each refusal
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
