/** Turns Prometheus's timeout header and the options into the one signal that ends a scrape. */
import { Cancellation, type CancelSignal } from '../ollama/cancellation.ts';
import { RequestError } from './request-error.ts';

export const TIMEOUT_HEADER = 'x-prometheus-scrape-timeout-seconds';

export interface TimeoutOptions {
  /** The most that a scrape may take, whatever the header says. */
  readonly timeoutMs: number;
  /** Kept back from the header's time, for the way back to Prometheus. */
  readonly offsetMs: number;
}

const DECIMAL = /^\d+(\.\d*)?([eE][+-]?\d+)?$|^\.\d+([eE][+-]?\d+)?$/;

/**
 * @param header the value of `X-Prometheus-Scrape-Timeout-Seconds`, undefined where there is none
 * @returns milliseconds for this scrape. At least half of the header's time is used, however large the offset.
 * @throws RequestError with status 400 that quotes the header if it is not a number of seconds above 0
 */
export function scrapeBudgetMs(header: string | undefined, { timeoutMs, offsetMs }: TimeoutOptions): number {
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

/** Calls `end` when something happens after which nobody wants the work. @returns to be called when it is done */
export type Ending = (end: () => void) => () => void;

/**
 * Runs `work` with a signal that fires when the budget is used up or when one of the endings comes, and leaves
 * neither a timer nor a listener behind. (AbortSignal.any and AbortSignal.timeout leave both until they fire or are
 * collected.)
 */
export async function withDeadline<T>(
  budgetMs: number,
  endings: readonly Ending[],
  work: (signal: CancelSignal) => Promise<T>,
): Promise<T> {
  const cancellation = new Cancellation();
  const cancel = () =>
    cancellation.abort(new Error('cancelled: the scraper hung up or the exporter is stopping'));
  const timer = setTimeout(() => {
    cancellation.abort(new Error(`no complete answer within ${budgetMs / 1_000} s`));
  }, budgetMs);
  const done = endings.map((ending) => ending(cancel));
  try {
    return await work(cancellation);
  } finally {
    clearTimeout(timer);
    for (const forget of done) {
      forget();
    }
  }
}

/** When the signal fires, or if it has. */
export function whenAborted(signal: CancelSignal): Ending {
  return (end) => {
    signal.aborted ? end() : signal.addEventListener('abort', end);
    return () => signal.removeEventListener('abort', end);
  };
}
