/** Turns a number into a limit of how many scrapes are at work. */
import { RequestError } from './request-error.ts';

export type ScrapeLimit = <T>(work: () => Promise<T>) => Promise<T>;

/** @param max 0 is no limit. Beyond it, the returned function throws a RequestError with status 503 at once. */
export function createScrapeLimit(max: number): ScrapeLimit {
  let atWork = 0;
  return async (work) => {
    if (max > 0 && atWork >= max) {
      // The words of node_exporter.
      throw new RequestError(503, `Limit of concurrent requests reached (${max}), try again later.`);
    }
    atWork += 1;
    try {
      return await work();
    } finally {
      atWork -= 1;
    }
  };
}
