/** What bounds a scrape: its time, and how many run at once. */

/** An error for the client: the response is the message, with this status. Any other error is a bug of the exporter. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly statusCode: number;

  constructor(statusCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.statusCode = statusCode;
  }
}

export const TIMEOUT_HEADER = 'x-prometheus-scrape-timeout-seconds';

const DECIMAL = /^\d+(\.\d*)?([eE][+-]?\d+)?$|^\.\d+([eE][+-]?\d+)?$/;

/**
 * @param header the value of `X-Prometheus-Scrape-Timeout-Seconds`, undefined where there is none
 * @param timeoutMs the maximum, whatever the header says
 * @param offsetMs subtracted from the header's time, for the way back to Prometheus
 * @returns milliseconds for this scrape. At least half of the header's time is used, however large the offset.
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
 * Runs `work` with a signal that fires when the budget is used up, or with one of `endings`.
 *
 * Listeners are removed at the end. `AbortSignal.any` with a signal that lives as long as the process would keep 1 KB
 * of every scrape (https://github.com/nodejs/node/issues/55351).
 */
export async function withDeadline<T>(
  budgetMs: number,
  endings: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
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
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    for (const ending of endings) {
      ending.removeEventListener('abort', cancel);
    }
  }
}

/** Enters, or throws a RequestError with status 503. @returns to be called once, to leave */
export type ScrapeLimit = () => () => void;

export const UNLIMITED: ScrapeLimit = () => () => {};

/**
 * @param max 0 is no limit
 * @param onRefused called for each scrape that is refused
 */
export function createScrapeLimit(max: number, onRefused: () => void): ScrapeLimit {
  let running = 0;
  return () => {
    if (max > 0 && running >= max) {
      onRefused();
      // The words of node_exporter, and the option.
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
