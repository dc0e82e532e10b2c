/** Limits the duration of scrapes, and their number. */
import { RequestError } from './request-error.ts';

export const TIMEOUT_HEADER = 'x-prometheus-scrape-timeout-seconds';

const DECIMAL = /^\d+(\.\d*)?([eE][+-]?\d+)?$|^\.\d+([eE][+-]?\d+)?$/;

/**
 * @param header the value of `X-Prometheus-Scrape-Timeout-Seconds`, undefined if there is none
 * @param timeoutMs the maximum, whatever the header value
 * @param offsetMs subtracted from the header value, for the way back to Prometheus
 * @returns milliseconds for this scrape. At least half of the header value is used, even with a large offset.
 * @throws RequestError with status 400 that quotes the header if it is not a number of seconds above 0
 */
export function scrapeBudgetMs(header: string | undefined, timeoutMs: number, offsetMs: number): number {
  if (header === undefined) {
    return timeoutMs;
  }
  const headerMs = DECIMAL.test(header) ? Number(header) * 1_000 : Number.NaN;
  if (!(headerMs > 0)) {
    const quoted = JSON.stringify(header.slice(0, 40));
    throw new RequestError(
      400,
      `X-Prometheus-Scrape-Timeout-Seconds must be a number of seconds above 0, not ${quoted}`,
    );
  }
  return Math.min(timeoutMs, Math.max(headerMs - offsetMs, headerMs / 2));
}

/**
 * Runs `work` with a signal that fires at the timeout, with one of `endings`, or when `work` calls `cancel`.
 *
 * Listeners are removed at the end. `AbortSignal.any` with a signal that lives as long as the process would leak 1 KB
 * per scrape (https://github.com/nodejs/node/issues/55351).
 */
export async function withDeadline<T>(
  budgetMs: number,
  endings: readonly AbortSignal[],
  work: (signal: AbortSignal, cancel: () => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timeUp = () => controller.abort(new Error(`no complete response within ${budgetMs / 1_000} s`));
  const cancel = () =>
    controller.abort(new Error('canceled: the scraper disconnected, or the exporter is stopping'));
  const timer = setTimeout(timeUp, budgetMs);
  for (const ending of endings) {
    ending.addEventListener('abort', cancel);
  }
  if (endings.some(({ aborted }) => aborted)) {
    cancel();
  }
  try {
    return await work(controller.signal, cancel);
  } finally {
    clearTimeout(timer);
    for (const ending of endings) {
      ending.removeEventListener('abort', cancel);
    }
  }
}

/** Enters, or throws a RequestError with status 503. @returns a function to call once, to leave */
export type ScrapeLimit = () => () => void;

export const UNLIMITED: ScrapeLimit = () => () => {};

/**
 * @param max 0: no limit
 * @param onRefused called for each rejected scrape
 */
export function createScrapeLimit(max: number, onRefused: () => void): ScrapeLimit {
  let running = 0;
  return () => {
    if (max > 0 && running >= max) {
      onRefused();
      // The text of node_exporter, with the option.
      throw new RequestError(
        503,
        `Limit of concurrent requests reached (--web.max-requests=${max}), try again later.`,
      );
    }
    running += 1;
    return () => {
      running -= 1;
    };
  };
}
